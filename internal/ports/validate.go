package ports

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/runtime"
)

// MaxRecordBytes is the largest record that a store takes, in bytes of its JSON.
const MaxRecordBytes = 64 << 10

// ValidateStorable returns nil for a record that every store can give back
// unchanged, which is less than RuntimeRecord.Validate asks for. Otherwise it
// returns every fault, *runtime.InvalidError values joined: a bad game id, an
// unknown status, text that is not UTF-8, an instant outside years 0 to 9999, or
// more than MaxRecordBytes of JSON, which is a fault of the field "record".
func ValidateStorable(record runtime.RuntimeRecord) error {
	faults := []error{runtime.ValidateGameID(record.GameID)}
	if _, err := runtime.ParseStatus("status", string(record.Status)); err != nil {
		faults = append(faults, err)
	}
	faults = append(faults,
		validText("region", record.Region),
		validText("node", record.Node),
		validText("current_container_id", record.CurrentContainerID),
		validText("current_image_ref", record.CurrentImageRef),
		validText("engine_endpoint", record.EngineEndpoint),
		validText("state_path", record.StatePath),
		validText("docker_network", record.DockerNetwork),
		validInstant("created_at", &record.CreatedAt),
		validInstant("last_op_at", &record.LastOpAt),
		validInstant("started_at", record.StartedAt),
		validInstant("stopped_at", record.StoppedAt),
		validInstant("removed_at", record.RemovedAt),
	)
	if err := errors.Join(faults...); err != nil {
		return err
	}
	return validSize(record)
}

// validInstant looks at the UTC year, since that is the form the stores keep.
func validInstant(field string, at *time.Time) error {
	if at == nil {
		return nil
	}
	if year := at.UTC().Year(); year < 0 || year > 9999 {
		return &runtime.InvalidError{Field: field, Reason: fmt.Sprintf("is in the year %d; the years 0 to 9999 can be stored", year)}
	}
	return nil
}

func validSize(record runtime.RuntimeRecord) error {
	encoded, err := json.Marshal(record.InUTC())
	if err != nil {
		return &runtime.InvalidError{Field: "record", Reason: "cannot be written as JSON: " + err.Error()}
	}
	if len(encoded) > MaxRecordBytes {
		return &runtime.InvalidError{Field: "record", Reason: fmt.Sprintf("takes %d bytes of JSON; at most %d are allowed", len(encoded), MaxRecordBytes)}
	}
	return nil
}

// Validate returns nil for an input that a store can act on, and otherwise
// *runtime.InvalidError values: those of ValidateStorable, Origin.Validate and
// Fence.Validate, and one on "if_revision" for a negative revision.
func (in PutInput) Validate() error {
	if err := ValidateStorable(in.Record); err != nil {
		return err
	}
	if in.IfRevision != nil && *in.IfRevision < 0 {
		return &runtime.InvalidError{Field: "if_revision", Reason: fmt.Sprintf("is %d; a revision is never negative", *in.IfRevision)}
	}
	return validateOriginAndFence(in.Origin, in.Fence)
}

// Validate returns nil for an input that a store can act on. Otherwise it
// returns the error of UpdateStatusInput.Validate, of Origin.Validate or of
// Fence.Validate, or a *runtime.InvalidError on "now" for an instant outside years
// 0 to 9999.
func (in TransitionInput) Validate() error {
	if err := in.UpdateStatusInput.Validate(); err != nil {
		return err
	}
	if err := validInstant("now", &in.Now); err != nil {
		return err
	}
	return validateOriginAndFence(in.Origin, in.Fence)
}

// validateOriginAndFence looks at what goes along with every kind of write.
func validateOriginAndFence(origin Origin, fence *node.Fence) error {
	if err := origin.Validate(); err != nil || fence == nil {
		return err
	}
	return fence.Validate()
}

// Validate returns nil for a query that a store can answer, and otherwise a
// *runtime.InvalidError on "status", "limit" or "revision".
func (q PageQuery) Validate() error {
	if err := statusFilter(q.Status); err != nil {
		return err
	}
	if q.Limit < 1 || q.Limit > MaxPageLimit {
		return &runtime.InvalidError{Field: "limit", Reason: fmt.Sprintf("is %d; use 1 to %d", q.Limit, MaxPageLimit)}
	}
	return revisionNotNegative("revision", q.Revision)
}

// Validate returns nil for options that a watch can follow, and otherwise a
// *runtime.InvalidError on "from_revision", "status" or "game_id".
func (o WatchOptions) Validate() error {
	if err := revisionNotNegative("from_revision", o.FromRevision); err != nil {
		return err
	}
	if err := statusFilter(o.Status); err != nil {
		return err
	}
	if o.GameID == "" {
		return nil
	}
	return runtime.ValidateGameID(o.GameID)
}

// statusFilter lets the empty word pass: it filters nothing.
func statusFilter(status runtime.Status) error {
	if status == "" {
		return nil
	}
	_, err := runtime.ParseStatus("status", string(status))
	return err
}

func revisionNotNegative(field string, revision int64) error {
	if revision < 0 {
		return &runtime.InvalidError{Field: field, Reason: fmt.Sprintf("is %d; a revision is never negative", revision)}
	}
	return nil
}
