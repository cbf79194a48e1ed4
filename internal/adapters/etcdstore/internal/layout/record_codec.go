package layout

import (
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"go.etcd.io/etcd/api/v3/mvccpb"

	"galaxy/rtmanager/internal/domain/runtime"
)

// recordSchema is the version of the stored record that this code writes, and the highest
// that it reads.
const recordSchema = 1

// StoredRecord is the value of a record's key. The JSON package is the strict one: names
// match exactly, and duplicate names and invalid UTF-8 are errors. Members that this
// version does not know are decoded into Unknown and written back unchanged.
type StoredRecord struct {
	runtime.RuntimeRecord

	Schema    int            `json:"schema"`
	LastWrite LastWrite      `json:"last_write"`
	Unknown   jsontext.Value `json:",embed"`
}

// LastWrite identifies the write that made a record what it is, except for its condition.
type LastWrite struct {
	OperationID string `json:"operation_id"`
	// Seq is the number of the ledger entry of the write.
	Seq  int64     `json:"seq"`
	Kind WriteKind `json:"kind"`
	// HasNewerCondition means that the condition of the record was written since. Such a write
	// has no ledger entry, and leaves the other members as they are.
	HasNewerCondition bool `json:"has_newer_condition,omitzero"`
}

// WriteKind is the kind of a write; it decides the type of the watch event.
type WriteKind string

// Kinds of writes.
const (
	WriteUpsert     WriteKind = "upsert"
	WriteTransition WriteKind = "transition"
)

// Record is a record as etcd has it at one revision.
type Record struct {
	StoredRecord
	// CreateRevision changes only when the record is deleted and reinserted.
	CreateRevision int64
	// ModRevision is the revision of the last write.
	ModRevision int64
}

// Versioned returns the record as callers get it. It shares no memory with r.
func (r *Record) Versioned() runtime.VersionedRecord {
	return runtime.VersionedRecord{Record: r.Clone(), Revision: r.ModRevision}
}

// EncodeRecord returns the value of a record's key. The error is a *runtime.InvalidError.
func EncodeRecord(rec StoredRecord) ([]byte, error) {
	if value, isEncoded := encodeCanonical(&rec); isEncoded {
		return value, nil
	}
	return encodeStrict(rec)
}

// encodeStrict is EncodeRecord by the JSON package.
func encodeStrict(rec StoredRecord) ([]byte, error) {
	rec.Schema = recordSchema
	// PreserveRawStrings keeps the escapes in unknown members as they are.
	value, err := json.Marshal(rec, jsontext.PreserveRawStrings(true))
	if err != nil {
		return nil, &runtime.InvalidError{Field: "record", Reason: "cannot be stored: " + err.Error()}
	}
	return value, nil
}

// DecodeRecord decodes a record's key and value. The error is a *runtime.CorruptError with
// that key.
func (k Keys) DecodeRecord(kv *mvccpb.KeyValue) (*Record, error) {
	decoder, rec := RecordDecoder{keys: k}, new(Record)
	if _, err := decoder.Decode(kv, rec); err != nil {
		return nil, err
	}
	return rec, nil
}

// decodeStrict is DecodeRecord by the JSON package.
func (k Keys) decodeStrict(kv *mvccpb.KeyValue, rec *Record) error {
	key := string(kv.GetKey())
	gameID, err := k.GameOfRecord(key)
	if err != nil {
		return foreignKey(key, err)
	}
	corrupt := func(format string, args ...any) error {
		return &runtime.CorruptError{Key: key, GameID: gameID, Reason: fmt.Sprintf(format, args...)}
	}
	*rec = Record{CreateRevision: kv.GetCreateRevision(), ModRevision: kv.GetModRevision()}
	if err := json.Unmarshal(kv.GetValue(), &rec.StoredRecord); err != nil {
		// If a newer schema has changed the types of members, its number is the better
		// explanation.
		if rec.Schema = schemaOf(kv.GetValue()); rec.Schema <= recordSchema {
			return corrupt("the value is not a record: %v", err)
		}
	}
	if rec.Schema > recordSchema {
		return corrupt("the record has schema %d, newer than this version's %d; upgrade rtmanager", rec.Schema, recordSchema)
	}
	if rec.GameID != gameID {
		return corrupt("the record names game %q", rec.GameID)
	}
	if !rec.Status.IsKnown() {
		return corrupt("the record has status %q, which this version does not know", rec.Status)
	}
	rec.SetUTC()
	return nil
}

// foreignKey returns the error of a key that was not made from a game id.
func foreignKey(key string, err error) *runtime.CorruptError {
	return &runtime.CorruptError{Key: key, Reason: "the key does not name a game: " + err.Error()}
}

// schemaOf returns the schema number in a value, 0 if it has none.
func schemaOf(value []byte) int {
	var stored struct {
		Schema int `json:"schema"`
	}
	if json.Unmarshal(value, &stored) != nil {
		return 0
	}
	return stored.Schema
}
