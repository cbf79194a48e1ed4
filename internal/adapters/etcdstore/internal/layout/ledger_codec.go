package layout

import (
	"fmt"
	"time"

	"github.com/go-json-experiment/json"
	"go.etcd.io/etcd/api/v3/mvccpb"

	"galaxy/rtmanager/internal/domain/runtime"
)

// StoredLedgerEntry is the value of a ledger key. The entry's revision is that of its key.
type StoredLedgerEntry struct {
	Seq         int64          `json:"seq"`
	From        runtime.Status `json:"from"`
	To          runtime.Status `json:"to"`
	At          time.Time      `json:"at"`
	OperationID string         `json:"operation_id"`
	Actor       string         `json:"actor"`
	Reason      string         `json:"reason"`
	ContainerID string         `json:"container_id"`
	Image       string         `json:"image"`
	// ContentsHash is the hash of what a write with an operation id requested, empty for
	// other writes.
	ContentsHash string `json:"contents_hash,omitzero"`
}

// LedgerEntry is a ledger entry as etcd has it.
type LedgerEntry struct {
	runtime.LedgerEntry
	ContentsHash string // see StoredLedgerEntry
}

// EncodeLedgerEntry returns the value of a ledger key. The error is a
// *runtime.InvalidError.
func EncodeLedgerEntry(e StoredLedgerEntry) ([]byte, error) {
	if value, isEncoded := encodeCanonicalEntry(&e); isEncoded {
		return value, nil
	}
	return encodeStrictEntry(e)
}

// encodeStrictEntry is EncodeLedgerEntry by the JSON package.
func encodeStrictEntry(e StoredLedgerEntry) ([]byte, error) {
	value, err := json.Marshal(e)
	if err != nil {
		return nil, &runtime.InvalidError{Field: "ledger entry", Reason: "cannot be stored: " + err.Error()}
	}
	return value, nil
}

// DecodeLedgerEntry decodes a ledger entry's key and value. The error is a
// *runtime.CorruptError with that key.
func (k Keys) DecodeLedgerEntry(kv *mvccpb.KeyValue) (LedgerEntry, error) {
	key := string(kv.GetKey())
	gameID, slot, err := k.ParseLedger(key)
	if err != nil {
		return LedgerEntry{}, &runtime.CorruptError{Key: key, Reason: "the key does not name a ledger entry: " + err.Error()}
	}
	corrupt := func(reason string) (LedgerEntry, error) {
		return LedgerEntry{}, &runtime.CorruptError{Key: key, GameID: gameID, Reason: reason}
	}
	var e StoredLedgerEntry
	if err := json.Unmarshal(kv.GetValue(), &e); err != nil {
		return corrupt("the value is not a ledger entry: " + err.Error())
	}
	if e.Seq < 1 || e.Seq%LedgerSlots != slot {
		return corrupt(fmt.Sprintf("entry %d does not belong in this slot", e.Seq))
	}
	return LedgerEntry{ContentsHash: e.ContentsHash, LedgerEntry: runtime.LedgerEntry{
		Seq: e.Seq, From: e.From, To: e.To, At: e.At.UTC(), OperationID: e.OperationID,
		Actor: e.Actor, Reason: e.Reason, ContainerID: e.ContainerID, Image: e.Image,
		Revision: kv.GetModRevision(),
	}}, nil
}
