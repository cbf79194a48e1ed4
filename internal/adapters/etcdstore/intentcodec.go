package etcdstore

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

// intentSchema is the version of the stored intent that this code writes, and
// the highest that it reads.
const intentSchema = 1

// storedIntent is the value of an intent's key. As in a record, members that this
// version does not know are written back as they were; Spec, Current and Recent stand
// in the place of the Intent's own, to keep those within them.
type storedIntent struct {
	operation.Intent

	Spec    storedSpec       `json:"spec"`
	Current *storedOperation `json:"current,omitempty"`
	Recent  []storedOutcome  `json:"recent,omitempty"`
	Schema  int              `json:"schema"`
	// Write is another for each write, and tells which one made the intent what it is.
	Write   string         `json:"write"`
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

// operation is the one in progress, nil while there is none.
func (s storedIntent) operation() *operation.Operation {
	if s.Current == nil {
		return nil
	}
	return &s.Current.Operation
}

// newStoredIntent returns the intent as it is stored by the write, with what this
// version does not know of the one that it replaces.
func newStoredIntent(intent operation.Intent, write string, before storedIntent) storedIntent {
	stored := storedIntent{
		Intent: intent, Spec: storedSpec{intent.Spec, before.Spec.Unknown},
		Schema: intentSchema, Write: write, Unknown: before.Unknown,
	}
	if intent.Current != nil {
		stored.Current = &storedOperation{Operation: *intent.Current, Spec: storedSpec{Spec: intent.Current.Spec}}
		if was := before.Current; was != nil && was.ID == intent.Current.ID {
			stored.Current.Unknown, stored.Current.Spec.Unknown = was.Unknown, was.Spec.Unknown
		}
	}
	for _, outcome := range intent.Recent {
		kept := storedOutcome{Outcome: outcome}
		i := slices.IndexFunc(before.Recent, func(was storedOutcome) bool { return was.OperationID == outcome.OperationID })
		if i >= 0 {
			kept.Unknown = before.Recent[i].Unknown
		}
		stored.Recent = append(stored.Recent, kept)
	}
	return stored
}

// intent returns the intent as callers get it.
func (s storedIntent) intent() operation.Intent {
	in := s.Intent
	in.Spec = s.Spec.Spec
	if s.Current != nil {
		current := s.Current.Operation
		current.Spec = s.Current.Spec.Spec
		in.Current = &current
	}
	for _, outcome := range s.Recent {
		in.Recent = append(in.Recent, outcome.Outcome)
	}
	return in
}

func encodeIntent(s storedIntent) (string, error) {
	// The second option leaves zeros out, for whoever reads this with etcdctl.
	value, err := json.Marshal(s, jsontext.PreserveRawStrings(true), jsonv1.OmitEmptyWithLegacySemantics(true))
	if err != nil {
		return "", &runtime.InvalidError{Field: "intent", Reason: "cannot be stored: " + err.Error()}
	}
	if len(value) > 2*ports.MaxIntentBytes {
		return "", &runtime.InvalidError{Field: "intent", Reason: fmt.Sprintf("takes %d bytes with what a newer version has added to it; at most %d are allowed", len(value), 2*ports.MaxIntentBytes)}
	}
	return string(value), nil
}

// decodeIntent reads the value of an intent's key. On error the error is a
// *runtime.CorruptError with that key.
func (k keyspace) decodeIntent(kv *mvccpb.KeyValue) (storedIntent, error) {
	key := string(kv.GetKey())
	gameID, err := k.gameOfIntent(key)
	if err != nil {
		return storedIntent{}, &runtime.CorruptError{Key: key, Reason: "the key is not a game's: " + err.Error()}
	}
	corrupt := func(format string, args ...any) (storedIntent, error) {
		return storedIntent{}, &runtime.CorruptError{Key: key, GameID: gameID, Reason: fmt.Sprintf(format, args...)}
	}
	var stored storedIntent
	if err := json.Unmarshal(kv.GetValue(), &stored); err != nil {
		// As of a record: the number of a newer schema explains more than what failed to fit.
		if stored.Schema = schemaOf(kv.GetValue()); stored.Schema <= intentSchema {
			return corrupt("the value is not an intent: %v", err)
		}
	}
	if stored.Schema > intentSchema {
		return corrupt("the intent has schema %d, newer than this version's %d; upgrade rtmanager", stored.Schema, intentSchema)
	}
	if stored.GameID != gameID {
		return corrupt("the intent says it is of game %q", stored.GameID)
	}
	return stored, nil
}
