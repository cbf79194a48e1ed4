package etcdstore_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// historyOf returns every change below a key of the store since it was opened, from etcd
// itself. It ends with a marker key of its own.
func (r fixture) historyOf(key string) []*clientv3.Event {
	r.t.Helper()
	schema, err := r.etcd.Get(r.t.Context(), r.prefix+"/meta/schema")
	require.NoError(r.t, err)
	return r.historySince(schema.Kvs[0].GetCreateRevision(), key)
}

func (r fixture) historySince(revision int64, key string) []*clientv3.Event {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), testTimeout)
	defer cancel()
	end := r.putRaw("/test/end-of-history", "")
	var events []*clientv3.Event
	for resp := range r.etcd.Watch(ctx, r.prefix+"/", clientv3.WithPrefix(), clientv3.WithPrevKV(), clientv3.WithRev(revision)) {
		require.NoError(r.t, resp.Err(), "read etcd's history")
		for _, ev := range resp.Events {
			if ev.Kv.GetModRevision() == end {
				return events
			}
			if strings.HasPrefix(string(ev.Kv.GetKey()), r.prefix+key) {
				events = append(events, ev)
			}
		}
	}
	require.Fail(r.t, "the history of etcd did not end", "%v", ctx.Err())
	return nil
}

// storedLastWrite identifies the write of a stored record.
type storedLastWrite struct {
	ID   string `json:"operation_id"`
	Seq  int64  `json:"seq"`
	Verb string `json:"kind"`
}

// lastWriteOf decodes a stored record without the code under test. It returns the zero
// value for one that cannot be decoded.
func lastWriteOf(t *testing.T, value []byte) storedLastWrite {
	t.Helper()
	var stored struct {
		LastWrite storedLastWrite `json:"last_write"`
	}
	if json.Unmarshal(value, &stored) != nil {
		return storedLastWrite{}
	}
	return stored.LastWrite
}

// filterKeys returns the values whose key has the prefix.
func filterKeys(values map[string]rawValue, prefix string) map[string]rawValue {
	kept := map[string]rawValue{}
	for key, value := range values {
		if strings.HasPrefix(key, prefix) {
			kept[key] = value
		}
	}
	return kept
}

func entryOf(t *testing.T, value []byte) storedEntry {
	t.Helper()
	var entry storedEntry
	require.NoError(t, json.Unmarshal(value, &entry), "ledger entry %s", value)
	return entry
}
