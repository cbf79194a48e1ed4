package api

import (
	"bytes"
	"encoding/json"
)

// Encode returns the JSON of a value of this package, followed by a line feed. It
// panics if the value cannot be encoded, which only a time outside of years 0 to 9999
// can cause.
func Encode(value any) []byte {
	var data bytes.Buffer
	encoder := json.NewEncoder(&data)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		panic(err)
	}
	return data.Bytes()
}
