package recording_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/testkit/chaos/recording"
)

func TestRecordingIsReadAsWritten(t *testing.T) {
	t.Parallel()
	w, err := recording.Create(t.TempDir())
	require.NoError(t, err)
	want := recording.Recording{
		Run:     recording.Run{Seed: 1<<64 - 1, Nodes: []string{"eu/eu-1"}, Games: map[string]string{"g": "records"}},
		Calls:   []recording.Call{{Client: "c", Method: recording.Get, Game: "g\x00\u2028", Outcome: recording.Done, Revision: 5, Output: json.RawMessage(`{"a":1}`), Items: []recording.Item{{Game: "g", Revision: 5}}}},
		Events:  []recording.Event{{Watcher: "w", Stream: 1, Type: recording.StreamOpen, From: 3}, {Watcher: "w", Stream: 1, Type: "deleted", Revision: 7, Before: json.RawMessage(`{}`)}},
		Faults:  []recording.Fault{{Kind: "member killed", Target: "eu", Started: 1, Repaired: 2}},
		Changes: []recording.Change{{Revision: 5, Key: "/runtimes/g", Value: `{"a":1}`, Created: 5, Version: 1}},
	}
	w.Call(want.Calls[0])
	w.Event(want.Events[0])
	w.Event(want.Events[1])
	w.Fault(want.Faults[0])
	w.Change(want.Changes[0])
	w.Sample(recording.EtcdLeader, "cluster", "eu")
	require.NoError(t, w.Finish(want.Run))

	got, err := recording.Read(w.Dir())
	require.NoError(t, err)
	require.Len(t, got.Samples, 1)
	require.JSONEq(t, `"eu"`, string(got.Samples[0].Value))
	got.Samples = nil
	require.Equal(t, &want, got)
}

func TestIncompleteRecordingFails(t *testing.T) {
	t.Parallel()
	w, err := recording.Create(t.TempDir())
	require.NoError(t, err)
	w.Sample("kind", "subject", func() {}) // has no JSON
	w.Call(recording.Call{Client: "c"})
	require.Error(t, w.Finish(recording.Run{}))
	_, err = recording.Read(t.TempDir())
	require.Error(t, err)
}
