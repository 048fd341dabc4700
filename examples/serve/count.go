// A CGI handler in Go: counts what a text has, with the standard library's own server of CGI requests.
//
//	GOOS=wasip1 GOARCH=wasm go build -o count.wasm count.go
package main

import (
	"encoding/json"
	"io"
	"log"
	"net/http"
	"net/http/cgi"
	"strings"
)

func count(answer http.ResponseWriter, request *http.Request) {
	if request.Method != http.MethodPost {
		answer.Header().Set("Allow", http.MethodPost)
		http.Error(answer, "POST a text", http.StatusMethodNotAllowed)
		return
	}
	text, err := io.ReadAll(request.Body)
	if err != nil {
		http.Error(answer, err.Error(), http.StatusBadRequest)
		return
	}
	answer.Header().Set("Content-Type", "application/json")
	json.NewEncoder(answer).Encode(map[string]int{
		"bytes": len(text),
		"lines": strings.Count(string(text), "\n"),
		"words": len(strings.Fields(string(text))),
	})
}

func main() {
	if err := cgi.Serve(http.HandlerFunc(count)); err != nil {
		log.Fatal(err)
	}
}
