// Command gen writes the OpenAPI 3.1 document of the API to a file. It generates the
// document from the route table of the server, and from the types of requests and
// responses. go generate runs it for internal/api/openapi.json, which package api embeds.
//
//	document.go      paths, parameters and responses
//	schemas.go       the schema of a Go type
//	enums.go         the constants of a type, which are the values of its schema
//	share.go         parameters of several operations, tags, examples of bodies
//	descriptions.go  descriptions of the domain's types, which know nothing of this API
package main

import (
	"encoding/json"
	"fmt"
	"os"

	"galaxy/rtmanager/internal/adapters/httpserver"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: gen FILE")
		os.Exit(2)
	}
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

func run(file string) error {
	document, err := newDocument(httpserver.Routes())
	if err != nil {
		return err
	}
	text, err := json.MarshalIndent(document, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(text, '\n'), 0o644)
}
