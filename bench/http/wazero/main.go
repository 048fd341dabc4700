// Serves an http-wasm handler by wazero and Go's own server.
//
//	wazero_http HANDLER.wasm PORT
package main

import (
	"context"
	"log"
	"net/http"
	"os"

	wasm "github.com/http-wasm/http-wasm-host-go/handler/nethttp"
)

func main() {
	guest, err := os.ReadFile(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	handler, err := wasm.NewMiddleware(context.Background(), guest)
	if err != nil {
		log.Fatal(err)
	}
	served := handler.NewHandler(context.Background(), http.NotFoundHandler())
	log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Args[2], served))
}
