package recordcache

import (
	"errors"
	"fmt"
	"slices"
	"time"
	"unique"

	"go.etcd.io/etcd/api/v3/mvccpb"

	"galaxy/rtmanager/internal/adapters/etcdstore/internal/layout"
	"galaxy/rtmanager/internal/domain/runtime"
)

// Record is what etcd has under one record's key, decoded. It is immutable, so that any
// goroutine may read it.
type Record struct {
	layout.Record

	// Segment is the key without the prefix of its family; keys are ordered by it.
	Segment string
	// DecodeErr is why the value cannot be decoded; layout.Record is empty then.
	DecodeErr *runtime.CorruptError

	bytes int // estimated memory
	// timestamps are what the optional timestamps of the record point to, so that a copy of
	// the record reads memory next to it.
	timestamps [3]time.Time
}

// recordOverhead is the estimated memory of a Record except its text: itself, its
// timestamps and its places in the indexes.
const recordOverhead = 600

// labelsOverhead and labelOverhead are the estimated memory of the labels of a record, and of
// each of them with its place in the index.
const labelsOverhead, labelOverhead = 320, 80

// NewRecord decodes a record's key and value into memory of its own.
func NewRecord(keys layout.Keys, kv *mvccpb.KeyValue) *Record {
	r := new(Record)
	r.decode(keys, kv)
	return r
}

// recordsPerSlab is how many records a filled cache has in one slab of memory, in the order
// of their keys. A list then reads memory in order, and the garbage collector has fewer
// objects. A slab lives as long as any of its records.
const recordsPerSlab = 64

// newRecords decodes many records and calls add for each.
func newRecords(keys layout.Keys, kvs []*mvccpb.KeyValue, add func(*Record)) {
	for chunk := range slices.Chunk(kvs, recordsPerSlab) {
		slab := make([]Record, len(chunk))
		for i, kv := range chunk {
			slab[i].decode(keys, kv)
			add(&slab[i])
		}
	}
}

func (r *Record) decode(keys layout.Keys, kv *mvccpb.KeyValue) {
	r.Segment, r.bytes = string(kv.GetKey())[len(keys.Records()):], recordOverhead+len(kv.GetValue())
	rec, err := keys.DecodeRecord(kv)
	if corrupt, ok := errors.AsType[*runtime.CorruptError](err); ok {
		r.DecodeErr, r.ModRevision = corrupt, kv.GetModRevision()
		return
	}
	r.Record = *rec
	r.internStrings()
	r.internLabels()
	for i, at := range []**time.Time{&r.StartedAt, &r.StoppedAt, &r.RemovedAt} {
		if *at != nil {
			r.timestamps[i] = **at
			*at = &r.timestamps[i]
		}
	}
}

// internStrings makes records share the strings that many of them have in common.
func (r *Record) internStrings() {
	if r.Segment == r.GameID {
		r.Segment = r.GameID
	}
	for _, word := range []*string{&r.Region, &r.Node, &r.CurrentImageRef, &r.ImageDigest, &r.DockerNetwork, (*string)(&r.Status), (*string)(&r.LastWrite.Kind), (*string)(&r.DesiredStatus), (*string)(&r.Health)} {
		*word = unique.Make(*word).Value()
	}
}

// internLabels makes records share the keys and values of labels, and counts their memory.
func (r *Record) internLabels() {
	if len(r.Labels) == 0 {
		return
	}
	shared := make(map[string]string, len(r.Labels))
	for key, value := range r.Labels {
		shared[unique.Make(key).Value()] = unique.Make(value).Value()
	}
	r.Labels = shared
	r.bytes += labelsOverhead + labelOverhead*len(shared)
}

// Corrupt returns the decoding error, for the caller to keep.
func (r *Record) Corrupt() *runtime.CorruptError {
	copied := *r.DecodeErr
	return &copied
}

// Lookup returns what a read of the game returns for the record at its key, nil for none.
func (r *Record) Lookup(gameID string) (runtime.VersionedRecord, error) {
	switch {
	case r == nil:
		return runtime.VersionedRecord{}, fmt.Errorf("get game %q: %w", gameID, runtime.ErrNotFound)
	case r.DecodeErr != nil:
		return runtime.VersionedRecord{}, fmt.Errorf("get game %q: %w", gameID, r.DecodeErr)
	default:
		return r.Versioned(), nil
	}
}

// Equal reports whether two records were decoded from the same write.
func (r *Record) Equal(other *Record) bool {
	return r.ModRevision == other.ModRevision && (r.DecodeErr == nil) == (other.DecodeErr == nil) &&
		r.CreateRevision == other.CreateRevision && r.LastWrite == other.LastWrite &&
		r.RuntimeRecord.Equal(other.RuntimeRecord) && string(r.Unknown) == string(other.Unknown)
}
