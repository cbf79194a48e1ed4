package layout

import (
	"fmt"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	jsonv1 "github.com/go-json-experiment/json/v1"
	"go.etcd.io/etcd/api/v3/mvccpb"

	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// intentSchema is the version of the stored intent that this code writes, and the highest
// that it reads.
const intentSchema = 1

// StoredIntent is the value of an intent's key. As in a record, members that this version
// does not know are written back unchanged. Spec, Current and Recent shadow those of the
// Intent, to keep the unknown members within them.
type StoredIntent struct {
	operation.Intent

	Spec    storedSpec       `json:"spec"`
	Current *storedOperation `json:"current,omitempty"`
	Recent  []storedOutcome  `json:"recent,omitempty"`
	Schema  int              `json:"schema"`
	// WriteID is unique to the write that made the intent what it is.
	WriteID string         `json:"write_id"`
	Unknown jsontext.Value `json:",embed"`
}

type storedSpec struct {
	operation.Spec

	Unknown jsontext.Value `json:",embed"`
}

type storedOperation struct {
	operation.Operation

	Spec    storedSpec     `json:"spec"`
	Unknown jsontext.Value `json:",embed"`
}

type storedOutcome struct {
	operation.Outcome

	Unknown jsontext.Value `json:",embed"`
}

// NewStoredIntent returns the stored form of an intent, with the unknown members of the
// intent that it replaces.
func NewStoredIntent(intent operation.Intent, writeID string, replaced StoredIntent) StoredIntent {
	stored := StoredIntent{
		Intent: intent, Spec: storedSpec{intent.Spec, replaced.Spec.Unknown},
		Schema: intentSchema, WriteID: writeID, Unknown: replaced.Unknown,
	}
	if intent.Current != nil {
		stored.Current = &storedOperation{Operation: *intent.Current, Spec: storedSpec{Spec: intent.Current.Spec}}
		if previous := replaced.Current; previous != nil && previous.ID == intent.Current.ID {
			stored.Current.Unknown, stored.Current.Spec.Unknown = previous.Unknown, previous.Spec.Unknown
		}
	}
	for _, outcome := range intent.Recent {
		kept := storedOutcome{Outcome: outcome}
		i := slices.IndexFunc(replaced.Recent, func(previous storedOutcome) bool { return previous.OperationID == outcome.OperationID })
		if i >= 0 {
			kept.Unknown = replaced.Recent[i].Unknown
		}
		stored.Recent = append(stored.Recent, kept)
	}
	return stored
}

// ToIntent returns the intent as callers get it.
func (s StoredIntent) ToIntent() operation.Intent {
	intent := s.Intent
	intent.Spec = s.Spec.Spec
	if s.Current != nil {
		current := s.Current.Operation
		current.Spec = s.Current.Spec.Spec
		intent.Current = &current
	}
	for _, outcome := range s.Recent {
		intent.Recent = append(intent.Recent, outcome.Outcome)
	}
	return intent
}

// ActiveOperation returns the operation in progress, nil if there is none.
func (s StoredIntent) ActiveOperation() *operation.Operation {
	if s.Current == nil {
		return nil
	}
	return &s.Current.Operation
}

// EncodeIntent returns the value of an intent's key. The error is a *runtime.InvalidError.
func EncodeIntent(s StoredIntent) (string, error) {
	// The legacy option omits zero values, so that an operator can read the value.
	value, err := json.Marshal(s, jsontext.PreserveRawStrings(true), jsonv1.OmitEmptyWithLegacySemantics(true))
	if err != nil {
		return "", &runtime.InvalidError{Field: "intent", Reason: "cannot be stored: " + err.Error()}
	}
	if len(value) > 2*ports.MaxIntentBytes {
		return "", &runtime.InvalidError{Field: "intent", Reason: fmt.Sprintf("takes %d bytes including members that a newer version has added; at most %d are allowed", len(value), 2*ports.MaxIntentBytes)}
	}
	return string(value), nil
}

// DecodeIntent decodes an intent's key and value. The error is a *runtime.CorruptError
// with that key.
func (k Keys) DecodeIntent(kv *mvccpb.KeyValue) (StoredIntent, error) {
	key := string(kv.GetKey())
	gameID, err := k.GameOfIntent(key)
	if err != nil {
		return StoredIntent{}, foreignKey(key, err)
	}
	corrupt := func(format string, args ...any) (StoredIntent, error) {
		return StoredIntent{}, &runtime.CorruptError{Key: key, GameID: gameID, Reason: fmt.Sprintf(format, args...)}
	}
	var stored StoredIntent
	if err := json.Unmarshal(kv.GetValue(), &stored); err != nil {
		// As in DecodeRecord, the number of a newer schema is the better explanation.
		if stored.Schema = schemaOf(kv.GetValue()); stored.Schema <= intentSchema {
			return corrupt("the value is not an intent: %v", err)
		}
	}
	if stored.Schema > intentSchema {
		return corrupt("the intent has schema %d, newer than this version's %d; upgrade rtmanager", stored.Schema, intentSchema)
	}
	if stored.GameID != gameID {
		return corrupt("the intent names game %q", stored.GameID)
	}
	return stored, nil
}

// VersionedIntent decodes an intent as callers get it.
func (k Keys) VersionedIntent(kv *mvccpb.KeyValue) (ports.VersionedIntent, error) {
	stored, err := k.DecodeIntent(kv)
	if err != nil {
		return ports.VersionedIntent{}, err
	}
	return ports.VersionedIntent{
		Intent: stored.ToIntent(), IntentVersion: ports.NewIntentVersion(kv.GetModRevision(), string(kv.GetValue())),
	}, nil
}
