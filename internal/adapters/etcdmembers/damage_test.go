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

// TestDamagedNodesHideNobody plants values that are no node's beside a good one:
// each is logged with its key, once.
func TestDamagedNodesHideNobody(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.join(r.registry(nil, longTTL), self("n1"))
	damaged := map[string]string{
		"/nodes/eu/garbage": "garbage",
		"/nodes/eu/empty":   "",
		"/nodes/eu/another": `{"region":"eu","name":"n1"}`,
		"/nodes/eu/twice":   `{"region":"eu","name":"twice","name":"twice"}`,
		"/nodes/foreign":    `{"region":"eu","name":"foreign"}`,
	}
	for key, value := range damaged {
		r.plant(key, value)
	}
	var log bytes.Buffer
	registry := etcdmembers.New(r.etcd, etcdmembers.Options{Prefix: r.prefix, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	for range 3 {
		nodes, err := registry.Nodes(t.Context())
		require.NoError(t, err)
		require.Equal(t, []string{"eu/n1"}, namesOf(nodes))
	}
	for key := range damaged {
		require.Equal(t, 1, strings.Count(log.String(), "key="+r.prefix+key+" "), "%s in %s", key, log.String())
	}
	r.plant("/nodes/eu/garbage", "other garbage")
	_, err := registry.Nodes(t.Context())
	require.NoError(t, err)
	require.Equal(t, 2, strings.Count(log.String(), "key="+r.prefix+"/nodes/eu/garbage "), "what has changed is told again")
}

// TestUnknownMembersOfANodeArePassedOver reads what a newer version has written.
func TestUnknownMembersOfANodeArePassedOver(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.plant("/nodes/eu/n1", `{"region":"eu","name":"n1","newer":{"a":1},"session":99,"started_at":"2026-03-01T14:00:00+02:00"}`)
	nodes := r.nodes()
	require.Len(t, nodes, 1)
	_, _, created := r.key("/nodes/eu/n1")
	require.Equal(t, created, nodes[0].Session)
	require.Equal(t, "2026-03-01T12:00:00Z", nodes[0].StartedAt.Format("2006-01-02T15:04:05Z07:00"))
}

func TestDamagedLeaderIsReported(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.plant("/leaders/eu", "garbage")
	_, _, err := r.registry(nil, longTTL).Leader(t.Context(), "eu")
	var fault *runtime.CorruptError
	require.ErrorAs(t, err, &fault)
	require.Equal(t, r.prefix+"/leaders/eu", fault.Key)
}

// TestDamagedPresenceIsNotReplaced joins where the name's value cannot be read.
func TestDamagedPresenceIsNotReplaced(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.plant("/nodes/eu/n1", "garbage")
	_, err := r.registry(nil, shortTTL).Join(t.Context(), self("n1"))
	require.ErrorIs(t, err, runtime.ErrCorrupt)
	value, _, _ := r.key("/nodes/eu/n1")
	require.Equal(t, "garbage", value)
}
