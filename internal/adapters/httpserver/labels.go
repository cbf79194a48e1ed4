package httpserver

import (
	"errors"
	"maps"
	"net/http"

	"galaxy/rtmanager/internal/adapters/httpserver/internal/callers"
	"galaxy/rtmanager/internal/adapters/httpserver/internal/request"
	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/access"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

type labelsInput struct {
	gameInput
	originInput
	reasonInput
	Body request.Body[api.LabelChange] `body:"required"`
}

// changeLabels handles POST /v1/runtimes/{game_id}/labels. It writes the record if its revision is
// the one that it has read, and starts over if another writer was faster.
func (s *Server) changeLabels(w http.ResponseWriter, r *http.Request, in *labelsInput) error {
	origin, err := in.origin(in.Reason)
	if err != nil {
		return err
	}
	change := in.Body.Value
	if err := validateLabelChange(change); err != nil {
		return err
	}
	for {
		found, err := s.store.GetVersioned(r.Context(), in.GameID)
		if err != nil {
			return err
		}
		if err := callers.Of(r.Context()).CheckPlacement(access.PermissionOperate, found.Record.Region, in.GameID); err != nil {
			return err
		}
		record := found.Record.Clone()
		record.Labels = runtime.ChangeLabels(record.Labels, change.Set, change.Remove)
		if err := runtime.ValidateLabels("set", record.Labels); err != nil {
			return err
		}
		if maps.Equal(record.Labels, found.Record.Labels) {
			return writeRecord(w, found)
		}
		after, err := s.store.Put(r.Context(), ports.PutInput{Record: record, IfRevision: &found.Revision, Origin: origin, Guard: ports.GuardNoOperation})
		if errors.Is(err, runtime.ErrConflict) {
			continue
		}
		s.logWrite(writeLog{verb: "label", gameID: in.GameID, to: record.Status, origin: origin, revision: after.Revision}, err)
		if err != nil {
			return err
		}
		return writeRecord(w, after)
	}
}

func validateLabelChange(change api.LabelChange) error {
	faults := []error{runtime.ValidateLabels("set", change.Set)}
	for _, key := range change.Remove {
		faults = append(faults, runtime.ValidateLabelKey("remove", key))
		if _, isSet := change.Set[key]; isSet {
			faults = append(faults, &runtime.InvalidError{Field: "remove", Reason: "has a key that set has, too"})
		}
	}
	if len(change.Set)+len(change.Remove) == 0 {
		faults = append(faults, &runtime.InvalidError{Field: "set", Reason: "is empty, and so is remove; name a label to change"})
	}
	return errors.Join(faults...)
}
