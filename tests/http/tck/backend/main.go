// The kit's backend, and its guest: writes the guest to the file named first, then its own address to standard output,
// and serves until standard input ends.
package main

import (
	"fmt"
	"io"
	"os"

	"github.com/http-wasm/http-wasm-host-go/tck"
)

func main() {
	if err := os.WriteFile(os.Args[1], tck.GuestWASM, 0o644); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	server := tck.StartBackend("")
	fmt.Println(server.URL)
	_, _ = io.Copy(io.Discard, os.Stdin)
	server.Close()
}
