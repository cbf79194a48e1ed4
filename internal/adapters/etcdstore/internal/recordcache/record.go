package recordcache

import (
	"errors"
	"fmt"
	goruntime "runtime"
	"sync"

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
}

// recordOverhead is the estimated memory of a Record except its text: itself, its
// timestamps and its places in the indexes.
const recordOverhead = 640

// labelsOverhead, labelOverhead and portOverhead are the estimated memory of the labels of a record,
// of each of them with its places in the index, and of each port.
const labelsOverhead, labelOverhead, portOverhead = 320, 48, 64

// bytes returns the estimated memory of the record. Text that records share counts once for all of
// them, so not here.
func (r *Record) bytes() int {
	bytes := recordOverhead + len(r.Segment) + len(r.CurrentContainerID) + len(r.EngineEndpoint) + len(r.StatePath) +
		len(r.LastWrite.OperationID) + len(r.Metadata) + len(r.Unknown) + portOverhead*len(r.Ports)
	if len(r.Labels) > 0 {
		bytes += labelsOverhead + labelOverhead*len(r.Labels)
	}
	return bytes
}

// NewRecord decodes a record's key and value into memory of its own.
func NewRecord(keys layout.Keys, kv *mvccpb.KeyValue) *Record {
	r := new(Record)
	r.decode(layout.NewRecordDecoder(keys), kv)
	return r
}

// recordsPerSlab is how many records a filled cache has in one slab of memory, in the order
// of their keys. A list then reads memory in order, and the garbage collector has fewer
// objects. A slab lives as long as any of its records.
const recordsPerSlab = 64

// newRecords decodes many records on all cores, and returns them in order, in slabs.
func newRecords(keys layout.Keys, kvs []*mvccpb.KeyValue) [][]Record {
	slabs := make([][]Record, (len(kvs)+recordsPerSlab-1)/recordsPerSlab)
	decodeSlabs := func(from, to int) {
		decoder := layout.NewBulkDecoder(keys)
		for i := from; i < to; i++ {
			kvs := kvs[i*recordsPerSlab : min((i+1)*recordsPerSlab, len(kvs))]
			slabs[i] = make([]Record, len(kvs))
			for j, kv := range kvs {
				slabs[i][j].decode(decoder, kv)
			}
		}
	}
	var decoding sync.WaitGroup
	perCore := max(1, (len(slabs)+goruntime.GOMAXPROCS(0)-1)/goruntime.GOMAXPROCS(0))
	for from := 0; from < len(slabs); from += perCore {
		decoding.Go(func() { decodeSlabs(from, min(from+perCore, len(slabs))) })
	}
	decoding.Wait()
	return slabs
}

func (r *Record) decode(decoder *layout.RecordDecoder, kv *mvccpb.KeyValue) {
	segment, err := decoder.Decode(kv, &r.Record)
	r.Segment = segment
	if corrupt, ok := errors.AsType[*runtime.CorruptError](err); ok {
		r.Record, r.DecodeErr = layout.Record{ModRevision: kv.GetModRevision()}, corrupt
	}
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
