package storecheck_test

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/etcdstore"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/storecheck"
	"galaxy/rtmanager/internal/testkit/etcdtest"
)

func TestMain(m *testing.M) { os.Exit(etcdtest.Main(m)) }

// A check of a store reports each value of any family that a daemon cannot read, and no other.
func TestUnreadableValues(t *testing.T) {
	t.Parallel()
	client, prefix := etcdtest.InProcess(t), etcdtest.Prefix(t)
	store, err := etcdstore.Open(t.Context(), client, etcdstore.Options{Prefix: prefix, NoCache: true, Families: storecheck.Families(prefix)})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	for key, value := range map[string]string{
		"/node-settings/eu":           `{"paused":{"reason":"r"}}`,
		"/node-settings/eu/eu-1":      `{"cordoned":{"reason":"r"},"unknown":1}`,
		"/reservations/eu/eu-1":       `{"games":{"g":{"operation":"o","at":"2026-01-01T12:00:00Z"}}}`,
		"/nodes/eu/eu-1":              `{"region":"eu","name":"eu-1"}`,
		"/known-nodes/eu/eu-1":        `{"region":"eu","name":"eu-1"}`,
		"/leaders/eu":                 `{"region":"eu","node":"eu-1","claim":"c"}`,
		"/rollouts/r1":                `{"id":"r1"}`,
		"/rollout-games/r1/g":         `{}`,
		"/access-uses/t":              "2026-01-01T12:00:00Z",
		"/access/bindings/user:alice": `{"subject":"user:alice","grants":[{"role":"reader"}]}`,
	} {
		_, err := client.Put(t.Context(), prefix+key, value)
		require.NoError(t, err)
	}
	report, err := store.Check(t.Context(), false)
	require.NoError(t, err)
	require.Empty(t, report.Findings)

	corrupt := []string{
		"/node-settings/us", "/node-settings/us/us-1", "/node-settings/us/us-2/x", "/reservations/us/us-1", "/reservations/us", "/nodes/us/us-1",
		"/known-nodes/us/us-1", "/leaders/us", "/rollouts/r2", "/rollout-games/r2/g", "/rollout-games/r2", "/access-uses/u",
		"/access/tokens/u", "/access/bindings/user:bob", "/access/foreign", "/secrets/s",
	}
	for _, key := range corrupt {
		_, err := client.Put(t.Context(), prefix+key, "?")
		require.NoError(t, err)
	}
	report, err = store.Check(t.Context(), true)
	require.NoError(t, err)
	var found []string
	for _, f := range report.Findings {
		require.Equal(t, ports.FindingValueUnreadable, f.Kind)
		require.False(t, f.Repaired, "only an operator can decide")
		found = append(found, strings.TrimPrefix(f.Key, prefix))
		if f.Key == prefix+"/node-settings/us/us-1" {
			require.Contains(t, f.Detail, "counts as neither cordoned nor paused")
		}
	}
	require.ElementsMatch(t, corrupt, found)
}
