package api

import (
	"bytes"
	_ "embed" // for the document
	"strconv"
)

//go:embed openapi.json
var document []byte

// versionPlaceholder is the member info.version of the committed document, which OpenAPI
// replaces.
const versionPlaceholder = `"version": "0"`

// OpenAPI returns the OpenAPI 3.1 document of the API, with the version of the daemon.
func OpenAPI(version string) []byte {
	return bytes.Replace(document, []byte(versionPlaceholder), []byte(`"version": `+strconv.Quote(version)), 1)
}
