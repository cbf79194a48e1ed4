package httpserver

import (
	"net/http"

	"galaxy/rtmanager/internal/adapters/httpserver/internal/request"
	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/runtime"
)

type metadataInput struct {
	gameInput
	originInput
	reasonInput
	Body request.Body[api.MetadataChange] `body:"required"`
}

// changeMetadata handles POST /v1/runtimes/{game_id}/metadata.
func (s *Server) changeMetadata(w http.ResponseWriter, r *http.Request, in *metadataInput) error {
	origin, err := in.origin(in.Reason)
	if err != nil {
		return err
	}
	change := in.Body.Value
	if err := validateMetadataChange(change); err != nil {
		return err
	}
	return s.changeRecord(w, r, recordChange{gameID: in.GameID, verb: "metadata", reason: "metadata changed", origin: origin, change: func(record *runtime.RuntimeRecord) error {
		if change.Replace != nil {
			record.Metadata = change.Replace.Normal()
			return nil
		}
		record.Metadata = record.Metadata.Merge(*change.Merge)
		return record.Metadata.Validate("merge")
	}})
}

func validateMetadataChange(change api.MetadataChange) error {
	switch {
	case change.Merge != nil && change.Replace != nil:
		return &runtime.InvalidError{Field: "replace", Reason: "excludes merge; send one of them"}
	case change.Merge != nil:
		return change.Merge.ValidateChange("merge")
	case change.Replace != nil:
		return change.Replace.Validate("replace")
	default:
		return &runtime.InvalidError{Field: "merge", Reason: "is required, or replace"}
	}
}
