package api_test

import (
	"fmt"

	"galaxy/rtmanager/internal/api"
)

// A header carries printable ASCII unchanged, and any other text percent-encoded.
func ExampleEncodeHeaderText() {
	fmt.Println(api.EncodeHeaderText("ops"))
	fmt.Println(api.EncodeHeaderText("Jörg"))
	// Output:
	// ops
	// UTF-8''J%C3%B6rg
}
