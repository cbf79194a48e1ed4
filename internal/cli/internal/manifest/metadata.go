package manifest

import (
	"fmt"

	"galaxy/rtmanager/internal/domain/runtime"
)

// Metadata reads metadata from one JSON value or YAML document.
func Metadata(text []byte) (runtime.Metadata, error) {
	documents, err := splitDocuments(text)
	switch {
	case err != nil:
		return "", err
	case len(documents) != 1:
		return "", fmt.Errorf("contains %d documents; use one JSON object", len(documents))
	}
	return runtime.NewMetadata(documents[0])
}
