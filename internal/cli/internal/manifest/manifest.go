package manifest

import (
	"errors"
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/runtime"
)

// Records reads records from consecutive JSON values or from YAML documents. Each value
// is a record, a list of records, or the object that list prints, with such a list as
// "items". A record's revision is 0 if it has no member "revision". It fails if there is no
// record.
func Records(text []byte) ([]runtime.VersionedRecord, error) {
	documents, err := splitDocuments(text)
	if err != nil {
		return nil, err
	}
	var records []runtime.VersionedRecord
	for i, document := range documents {
		decoded, err := decodeRecords(document)
		if err != nil {
			return nil, fmt.Errorf("document %d: %w", i+1, err)
		}
		for _, record := range decoded {
			records = append(records, runtime.VersionedRecord{Record: record.RuntimeRecord, Revision: record.Revision})
		}
	}
	if len(records) == 0 {
		return nil, errors.New("contains no record")
	}
	return records, nil
}

// record is a record as get prints it.
type record struct {
	runtime.RuntimeRecord
	Revision int64 `json:"revision"`
}

// StartRequest reads the only document of a file, which describes how to run a game.
func StartRequest(text []byte) (api.StartRequest, error) {
	documents, err := splitDocuments(text)
	switch {
	case err != nil:
		return api.StartRequest{}, err
	case len(documents) != 1:
		return api.StartRequest{}, fmt.Errorf("contains %d documents; use one, with image and so on", len(documents))
	case documents[0].Kind() != '{':
		return api.StartRequest{}, errors.New("must be an object with image and so on, not " + kindName(documents[0].Kind()))
	}
	var request api.StartRequest
	if err := decodeStrict(documents[0], &request); err != nil {
		return api.StartRequest{}, err
	}
	return request, nil
}

func decodeRecords(document jsontext.Value) ([]record, error) {
	switch document.Kind() {
	case '[':
		var records []record
		return records, decodeStrict(document, &records)
	case '{':
	default:
		return nil, fmt.Errorf("%s is neither a record nor a list of records", kindName(document.Kind()))
	}
	var list struct {
		Items jsontext.Value `json:"items"`
	}
	if err := json.Unmarshal(document, &list); err == nil && list.Items != nil {
		var page struct {
			api.Page
			Items []record `json:"items"`
		}
		err := decodeStrict(document, &page)
		return page.Items, err
	}
	var single record
	if err := decodeStrict(document, &single); err != nil {
		return nil, err
	}
	return []record{single}, nil
}

// decodeStrict decodes a document and rejects unknown and repeated fields.
func decodeStrict(document jsontext.Value, target any) error {
	return explainError(json.Unmarshal(document, target, json.RejectUnknownMembers(true)))
}
