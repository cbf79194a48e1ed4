package etcdmembers_test

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/etcdmembers"
	"galaxy/rtmanager/internal/domain/runtime"
)

// TestCorruptNodesHideNoOthers writes corrupt values next to a valid one: each is logged
// with its key, once.
func TestCorruptNodesHideNoOthers(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.join(f.registry(nil, longTTL), newNode("n1"))
	corrupt := map[string]string{
		"/nodes/eu/garbage": "garbage",
		"/nodes/eu/empty":   "",
		"/nodes/eu/another": `{"region":"eu","name":"n1"}`,
		"/nodes/eu/twice":   `{"region":"eu","name":"twice","name":"twice"}`,
		"/nodes/foreign":    `{"region":"eu","name":"foreign"}`,
	}
	for key, value := range corrupt {
		f.putRaw(key, value)
	}
	var log bytes.Buffer
	registry := etcdmembers.New(f.etcd, etcdmembers.Options{Prefix: f.prefix, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	for range 3 {
		nodes, err := registry.Nodes(t.Context())
		require.NoError(t, err)
		require.Equal(t, []string{"eu/n1"}, namesOf(nodes))
	}
	for key := range corrupt {
		require.Equal(t, 1, strings.Count(log.String(), "key="+f.prefix+key+" "), "%s in %s", key, log.String())
	}
	f.putRaw("/nodes/eu/garbage", "other garbage")
	_, err := registry.Nodes(t.Context())
	require.NoError(t, err)
	require.Equal(t, 2, strings.Count(log.String(), "key="+f.prefix+"/nodes/eu/garbage "), "a changed value is logged too")
}

// TestUnknownMembersOfANodeAreIgnored reads the value of a newer version.
func TestUnknownMembersOfANodeAreIgnored(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.putRaw("/nodes/eu/n1", `{"region":"eu","name":"n1","newer":{"a":1},"session":99,"started_at":"2026-03-01T14:00:00+02:00"}`)
	nodes := f.nodes()
	require.Len(t, nodes, 1)
	_, _, created := f.readRaw("/nodes/eu/n1")
	require.Equal(t, created, nodes[0].Session)
	require.Equal(t, "2026-03-01T12:00:00Z", nodes[0].StartedAt.Format("2006-01-02T15:04:05Z07:00"))
}

func TestCorruptLeaderIsReported(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.putRaw("/leaders/eu", "garbage")
	_, _, err := f.registry(nil, longTTL).Leader(t.Context(), "eu")
	var fault *runtime.CorruptError
	require.ErrorAs(t, err, &fault)
	require.Equal(t, f.prefix+"/leaders/eu", fault.Key)
}

// TestCorruptNodeIsNotReplaced joins under a name whose value is corrupt.
func TestCorruptNodeIsNotReplaced(t *testing.T) {
	t.Parallel()
	skipExpiry(t)
	f := newFixture(t)
	f.putRaw("/nodes/eu/n1", "garbage")
	_, err := f.registry(nil, shortTTL).Join(t.Context(), newNode("n1"))
	require.ErrorIs(t, err, runtime.ErrCorrupt)
	value, _, _ := f.readRaw("/nodes/eu/n1")
	require.Equal(t, "garbage", value)
}
