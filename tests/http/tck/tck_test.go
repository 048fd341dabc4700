// The kit of http-wasm's own against a server: WRUN_TCK_SERVER is the URL of one that serves the kit's guest on top of
// the kit's backend. See ../tck.py, which starts all of them.
package tck

import (
	"net/http"
	"os"
	"testing"

	"github.com/http-wasm/http-wasm-host-go/tck"
)

func TestKit(t *testing.T) {
	url := os.Getenv("WRUN_TCK_SERVER")
	if url == "" {
		t.Skip("WRUN_TCK_SERVER names no server")
	}
	tck.Run(t, http.DefaultClient, url)
}
