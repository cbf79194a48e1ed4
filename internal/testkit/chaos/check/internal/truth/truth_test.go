package truth_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/testkit/chaos/check/internal/truth"
	"galaxy/rtmanager/internal/testkit/chaos/recording"
)

func TestParseKey(t *testing.T) {
	t.Parallel()
	for key, want := range map[string]truth.Key{
		"/p/runtimes/a%2Fb":                 {Family: truth.RecordKey, Game: "a/b"},
		"/p/runtimes-by-status/running/%25": {Family: truth.IndexKey, Status: "running", Game: "%"},
		"/p/transitions/g/07":               {Family: truth.LedgerKey, Game: "g", Slot: 7},
		"/p/operations/g":                   {Family: truth.IntentKey, Game: "g"},
		"/p/nodes/eu/a":                     {Family: truth.NodeKey},
		"/p/leaders/eu":                     {Family: truth.Other},
		"/p/runtimes":                       {Family: truth.RecordKey, Fault: "the key names no game"},
		"/q/runtimes/g":                     {Family: truth.Other},
	} {
		require.Equal(t, want, truth.ParseKey("/p/", key), key)
	}
	for _, key := range []string{"/runtimes/a b", "/runtimes/%2f", "/runtimes/%zz", "/transitions/g/7", "/transitions/g/32", "/transitions/g/-1"} {
		require.NotEmpty(t, truth.ParseKey("", key).Fault, key)
	}
	require.Equal(t, "/p/nodes/eu/a%20b", truth.NodeKeyOf("/p", "eu/a b"))
}

func TestFieldsOfOneRecordAreEqual(t *testing.T) {
	t.Parallel()
	fields := func(text string) truth.Fields {
		parsed := truth.ParseFields([]byte(text))
		require.NotNil(t, parsed, text)
		return parsed
	}
	a := fields(`{"game_id":"g","created_at":"2026-01-01T02:00:00.500Z","labels":{"a":"1","b":"2"},"operation":{"id":"o","started_at":"2026-01-01T00:00:00Z"},"restarts":0}`)
	require.Empty(t, a.Diff(fields(`{"operation":{"started_at":"2026-01-01T01:00:00+01:00","id":"o"},"labels":{"b":"2","a":"1"},"created_at":"2026-01-01T03:00:00.5+01:00","game_id":"\u0067","health":"","metadata":{},"x":1,"schema":1}`)))
	require.Equal(t, []string{"game_id", "labels", "ports"}, a.Diff(fields(`{"created_at":"2026-01-01T02:00:00.5Z","labels":{"a":"1"},"ports":[{"host":"h"}],"operation":{"id":"o","started_at":"2026-01-01T00:00:00Z"}}`)))
	require.Nil(t, truth.ParseFields([]byte(`null`)))
}

func TestTimeline(t *testing.T) {
	t.Parallel()
	change := func(revision, at int64, key, value string) recording.Change {
		return recording.Change{Revision: revision, At: at, Key: key, Value: value}
	}
	h := truth.Build("", []recording.Change{
		{Revision: 8, Key: "/runtimes/z", Value: `{}`, Initial: true}, {Revision: 4, Key: "/runtimes/y", Value: `{}`, Initial: true},
		change(11, 100, "/runtimes/g", `{}`), change(11, 100, "/transitions/g/01", `{"seq":1,"operation_id":"a"}`),
		change(12, 300, "/runtimes/g", `{}`), change(12, 300, "/transitions/g/02", `{"seq":2,"operation_id":"b"}`),
	})
	require.Equal(t, int64(8), h.Start)
	calls := []recording.Call{
		{Game: "g", OperationID: "a", Started: 50, Returned: 90, Revision: 11},
		{Game: "g", OperationID: "b", Started: 200, Returned: 260, Revision: 12},
		{Game: "g", Started: 0, Returned: 1, Revision: 99}, // of no change
	}
	timeline := truth.NewTimeline(h, calls, []recording.Event{{Game: "g", Revision: 12, At: 255}, {Revision: 12, At: 70}})
	for at, want := range map[int64]int64{0: 8, 90: 8, 91: 11, 255: 11, 256: 12, 999: 12} {
		require.Equal(t, want, timeline.SeenBefore(at), "seen before %d", at)
	}
	require.Equal(t, int64(10), timeline.PossibleAt(49))
	require.Equal(t, int64(11), timeline.PossibleAt(50))
	require.Greater(t, timeline.PossibleAt(200), int64(1<<60))
	g := h.Games["g"]
	require.True(t, g.WasAbsent(truth.Window{From: 8, To: 11}))
	require.False(t, g.WasAbsent(truth.Window{From: 11, To: 12}))
	require.Len(t, g.Between(truth.Window{From: 8, To: 12}), 3)
	require.Len(t, g.During(101, 200), 1)
	require.Equal(t, int64(4), h.Games["y"].At(1000).Revision)
}
