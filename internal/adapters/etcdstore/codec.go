package etcdstore

import (
	"fmt"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"go.etcd.io/etcd/api/v3/mvccpb"

	"galaxy/rtmanager/internal/domain/runtime"
)

// recordSchema is the version of the stored record that this code writes, and
// the highest that it reads.
const recordSchema = 1

// storedRecord is the value of a record's key. The JSON package is the strict
// one (names match exactly, duplicate names and invalid UTF-8 are errors), so
// decoding never loses anything in silence: members this version does not know
// land in Unknown and are written back as they were.
type storedRecord struct {
	runtime.RuntimeRecord

	Schema  int            `json:"schema"`
	LastOp  lastOp         `json:"last_op"`
	Unknown jsontext.Value `json:",embed"`
}

// lastOp says which write made the record what it is.
type lastOp struct {
	ID   string `json:"id"`
	Seq  int64  `json:"seq"`
	Verb verb   `json:"verb"`
}

// verb is the kind of write; it decides the type of the watch event.
type verb string

const (
	verbUpsert     verb = "upsert"
	verbTransition verb = "transition"
)

// current is a record as etcd holds it at one revision.
type current struct {
	storedRecord
	createRevision int64 // of this life of the record; changes only when it is deleted and inserted again
	modRevision    int64
}

func encodeRecord(rec storedRecord) (string, error) {
	rec.Schema = recordSchema
	// Without the option escapes in unknown members would be spelled anew.
	value, err := json.Marshal(rec, jsontext.PreserveRawStrings(true))
	if err != nil {
		return "", &runtime.InvalidError{Field: "record", Reason: "cannot be stored: " + err.Error()}
	}
	return string(value), nil
}

// decodeRecord reads the value of a record's key. On error the error is a
// *runtime.CorruptError with that key.
func (k keyspace) decodeRecord(kv *mvccpb.KeyValue) (*current, error) {
	key := string(kv.GetKey())
	gameID, err := k.gameOfRecord(key)
	if err != nil {
		return nil, &runtime.CorruptError{Key: key, Reason: "the key is not a game's: " + err.Error()}
	}
	corrupt := func(format string, args ...any) (*current, error) {
		return nil, &runtime.CorruptError{Key: key, GameID: gameID, Reason: fmt.Sprintf(format, args...)}
	}
	rec := &current{createRevision: kv.GetCreateRevision(), modRevision: kv.GetModRevision()}
	if err := json.Unmarshal(kv.GetValue(), &rec.storedRecord); err != nil {
		// A newer schema may have changed the types that just failed to fit, and
		// then its number is the better explanation.
		if rec.Schema = schemaOf(kv.GetValue()); rec.Schema <= recordSchema {
			return corrupt("the value is not a record: %v", err)
		}
	}
	if rec.Schema > recordSchema {
		return corrupt("the record has schema %d, newer than this version's %d; upgrade rtmanager", rec.Schema, recordSchema)
	}
	if rec.GameID != gameID {
		return corrupt("the record says it is of game %q", rec.GameID)
	}
	if !rec.Status.IsKnown() {
		return corrupt("the record has status %q, which this version does not know", rec.Status)
	}
	rec.RuntimeRecord = rec.InUTC()
	return rec, nil
}

// schemaOf returns the schema that a value claims to have, 0 when it claims none.
func schemaOf(value []byte) int {
	var claim struct {
		Schema int `json:"schema"`
	}
	if json.Unmarshal(value, &claim) != nil {
		return 0
	}
	return claim.Schema
}

// storedEntry is the value of a ledger key. An entry's revision is its key's.
type storedEntry struct {
	Seq         int64          `json:"seq"`
	From        runtime.Status `json:"from"`
	To          runtime.Status `json:"to"`
	At          time.Time      `json:"at"`
	OperationID string         `json:"operation_id"`
	Actor       string         `json:"actor"`
	Reason      string         `json:"reason"`
	ContainerID string         `json:"container_id"`
	Image       string         `json:"image"`
}

func encodeEntry(e storedEntry) (string, error) {
	value, err := json.Marshal(e)
	if err != nil {
		return "", &runtime.InvalidError{Field: "ledger entry", Reason: "cannot be stored: " + err.Error()}
	}
	return string(value), nil
}

// decodeEntry reads the value of a ledger key. On error the error is a
// *runtime.CorruptError with that key.
func (k keyspace) decodeEntry(kv *mvccpb.KeyValue) (runtime.LedgerEntry, error) {
	key := string(kv.GetKey())
	gameID, slot, err := k.parseLedger(key)
	if err != nil {
		return runtime.LedgerEntry{}, &runtime.CorruptError{Key: key, Reason: "the key is not a ledger entry's: " + err.Error()}
	}
	var e storedEntry
	if err := json.Unmarshal(kv.GetValue(), &e); err != nil {
		return runtime.LedgerEntry{}, &runtime.CorruptError{Key: key, GameID: gameID, Reason: "the value is not a ledger entry: " + err.Error()}
	}
	if e.Seq < 1 || e.Seq%ledgerSlots != slot {
		return runtime.LedgerEntry{}, &runtime.CorruptError{Key: key, GameID: gameID, Reason: fmt.Sprintf("entry %d does not belong in this slot", e.Seq)}
	}
	return runtime.LedgerEntry{
		Seq: e.Seq, From: e.From, To: e.To, At: e.At.UTC(), OperationID: e.OperationID,
		Actor: e.Actor, Reason: e.Reason, ContainerID: e.ContainerID, Image: e.Image,
		Revision: kv.GetModRevision(),
	}, nil
}
