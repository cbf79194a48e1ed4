package api

import (
	"bytes"
	"encoding/json"
)

// Encode returns the JSON of a value of this package, followed by a line feed. It
// panics if the value cannot be encoded. Only a time outside of the years 0 to 9999 causes
// this.
func Encode(value any) []byte {
	var data bytes.Buffer
	encoder := json.NewEncoder(&data)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		panic(err)
	}
	return data.Bytes()
}
