package ports

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"
	"unicode"
	"unicode/utf8"

	strictjson "github.com/go-json-experiment/json"

	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
)

const (
	// MaxRecordBytes is the largest record that a store accepts, in bytes of its JSON.
	MaxRecordBytes = 64 << 10
	// MaxIntentBytes is the largest intent that a store accepts, in bytes of its JSON. An
	// intent contains several records. etcd accepts far larger requests.
	MaxIntentBytes = 512 << 10
)

// ValidateStorable returns nil for a record that every store can return unchanged, which
// is weaker than RuntimeRecord.Validate. Otherwise it returns every fault, as joined
// *runtime.InvalidError values: an invalid game id, an unknown status, text that is not
// UTF-8, a time outside the years 0 to 9999, or more than MaxRecordBytes of JSON, on
// field "record".
func ValidateStorable(record runtime.RuntimeRecord) error {
	faults := []error{runtime.ValidateGameID(record.GameID)}
	if _, err := runtime.ParseStatus("status", string(record.Status)); err != nil {
		faults = append(faults, err)
	}
	faults = append(faults,
		validateText("region", record.Region),
		validateText("node", record.Node),
		validateText("current_container_id", record.CurrentContainerID),
		validateText("current_image_ref", record.CurrentImageRef),
		validateText("engine_endpoint", record.EngineEndpoint),
		validateText("state_path", record.StatePath),
		validateText("docker_network", record.DockerNetwork),
		validateTime("created_at", &record.CreatedAt),
		validateTime("last_op_at", &record.LastOpAt),
		validateTime("started_at", record.StartedAt),
		validateTime("stopped_at", record.StoppedAt),
		validateTime("removed_at", record.RemovedAt),
		validateCondition(record.Condition),
	)
	faults = append(faults, runtime.ValidateLabels("labels", record.Labels), record.Metadata.Validate("metadata"))
	if err := errors.Join(faults...); err != nil {
		return err
	}
	return validateRecordSize(record)
}

// Validate returns nil for an origin that a ledger can keep, and otherwise a
// *runtime.InvalidError on "operation_id", "actor" or "reason".
func (o Origin) Validate() error {
	if err := validateBoundedText("operation_id", o.OperationID, MaxOperationIDBytes); err != nil {
		return err
	}
	for _, r := range o.OperationID {
		if !unicode.IsPrint(r) {
			return &runtime.InvalidError{Field: "operation_id", Reason: fmt.Sprintf("%q contains %q, which is not printable", o.OperationID, r)}
		}
	}
	if err := validateBoundedText("actor", o.Actor, MaxActorBytes); err != nil {
		return err
	}
	return validateBoundedText("reason", o.Reason, MaxReasonBytes)
}

// Validate returns nil for an input that a store accepts. Otherwise it returns
// *runtime.InvalidError values: those of ValidateStorable, Origin.Validate and
// Fence.Validate, and one on "if_revision" for a negative revision.
func (in PutInput) Validate() error {
	if err := ValidateStorable(in.Record); err != nil {
		return err
	}
	if in.IfRevision != nil {
		if err := validateRevision("if_revision", *in.IfRevision); err != nil {
			return err
		}
	}
	return validateOriginAndFence(in.Origin, in.Fence)
}

// Validate returns nil for an input that a store accepts. Otherwise it returns the error
// of UpdateStatusInput.Validate, Origin.Validate or Fence.Validate, or a
// *runtime.InvalidError on "now" for a time outside the years 0 to 9999, or on
// "engine_endpoint" for an Endpoint that is not UTF-8.
func (in TransitionInput) Validate() error {
	if err := in.UpdateStatusInput.Validate(); err != nil {
		return err
	}
	if err := validateTime("now", &in.Now); err != nil {
		return err
	}
	if in.Endpoint != nil {
		if err := validateText("engine_endpoint", *in.Endpoint); err != nil {
			return err
		}
	}
	if in.Condition != nil {
		if err := validateCondition(*in.Condition); err != nil {
			return err
		}
	}
	return validateOriginAndFence(in.Origin, in.Fence)
}

// Validate returns nil for a query that a store accepts, and otherwise a
// *runtime.InvalidError on "limit", "revision", "sort" or a field of RecordFilter.Validate.
func (q PageQuery) Validate() error {
	if err := errors.Join(q.RecordFilter.Validate(), q.Order.Validate()); err != nil {
		return err
	}
	if q.Limit < 1 || q.Limit > MaxPageLimit {
		return &runtime.InvalidError{Field: "limit", Reason: fmt.Sprintf("is %d; use 1 to %d", q.Limit, MaxPageLimit)}
	}
	return validateRevision("revision", q.Revision)
}

// Validate returns nil for options that a watch accepts, and otherwise a
// *runtime.InvalidError on "from_revision", "game_id" or a field of RecordFilter.Validate.
func (o WatchOptions) Validate() error {
	if err := validateRevision("from_revision", o.FromRevision); err != nil {
		return err
	}
	if err := o.RecordFilter.Validate(); err != nil {
		return err
	}
	if o.GameID == "" {
		return nil
	}
	return runtime.ValidateGameID(o.GameID)
}

// ValidateIntent returns nil for the input of PutIntent that every store accepts.
// Otherwise it returns every fault, as joined *runtime.InvalidError values: an invalid
// game id; a negative revision, on "if_revision"; the faults of Fence.Validate; and on
// "intent" text that is not UTF-8, a time that JSON cannot encode, or more than
// MaxIntentBytes of JSON.
func ValidateIntent(intent operation.Intent, ifRevision int64, fences []node.Fence) error {
	faults := []error{runtime.ValidateGameID(intent.GameID), validateRevision("if_revision", ifRevision)}
	for _, fence := range fences {
		faults = append(faults, fence.Validate())
	}
	// the standard library's encoder would change text that is not UTF-8
	encoded, err := strictjson.Marshal(intent)
	if err != nil {
		faults = append(faults, &runtime.InvalidError{Field: "intent", Reason: "cannot be encoded as JSON: " + err.Error()})
	}
	if len(encoded) > MaxIntentBytes {
		faults = append(faults, &runtime.InvalidError{Field: "intent", Reason: fmt.Sprintf("takes %d bytes of JSON; at most %d are allowed", len(encoded), MaxIntentBytes)})
	}
	return errors.Join(faults...)
}

// validateOriginAndFence validates the common fields of all inputs of RuntimeWriter.
func validateOriginAndFence(origin Origin, fence *node.Fence) error {
	if err := origin.Validate(); err != nil || fence == nil {
		return err
	}
	return fence.Validate()
}

// validateCondition validates what every store can return unchanged.
func validateCondition(c runtime.Condition) error {
	faults := []error{
		validateText("desired_status", string(c.DesiredStatus)), validateText("health", string(c.Health)),
		validateTime("health_since", c.HealthSince), validateTime("node_lost_at", c.NodeLostAt),
	}
	if op := c.Operation; op != nil {
		faults = append(faults, validateText("operation.id", op.ID), validateText("operation.kind", op.Kind), validateTime("operation.started_at", &op.StartedAt))
	}
	return errors.Join(faults...)
}

func validateRevision(field string, revision int64) error {
	if revision < 0 {
		return &runtime.InvalidError{Field: field, Reason: fmt.Sprintf("is %d; a revision is never negative", revision)}
	}
	return nil
}

func validateBoundedText(field, text string, maxBytes int) error {
	if len(text) > maxBytes {
		return &runtime.InvalidError{Field: field, Reason: fmt.Sprintf("has %d bytes; at most %d are allowed", len(text), maxBytes)}
	}
	return validateText(field, text)
}

func validateText(field, text string) error {
	if !utf8.ValidString(text) {
		return &runtime.InvalidError{Field: field, Reason: fmt.Sprintf("%.64q is not valid UTF-8", text)}
	}
	return nil
}

// validateTime checks the year in UTC, which is the time zone that the stores keep.
func validateTime(field string, t *time.Time) error {
	if t == nil {
		return nil
	}
	if year := t.UTC().Year(); year < 0 || year > 9999 {
		return &runtime.InvalidError{Field: field, Reason: fmt.Sprintf("is in the year %d; the years 0 to 9999 can be stored", year)}
	}
	return nil
}

func validateRecordSize(record runtime.RuntimeRecord) error {
	encoded, err := json.Marshal(record.InUTC())
	if err != nil {
		return &runtime.InvalidError{Field: "record", Reason: "cannot be encoded as JSON: " + err.Error()}
	}
	if len(encoded) > MaxRecordBytes {
		return &runtime.InvalidError{Field: "record", Reason: fmt.Sprintf("takes %d bytes of JSON; at most %d are allowed", len(encoded), MaxRecordBytes)}
	}
	return nil
}
