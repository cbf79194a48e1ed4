package storetest

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

func idBehaviours() []behaviour {
	behaviours := []behaviour{
		{name: "all good ids live side by side without confusion", test: idsSideBySide},
		{name: "composed and decomposed text are two games", test: idsAreNotNormalised},
		{name: "an id that is a prefix of another is another game", test: idsArePrefixFree},
	}
	for name, id := range goodIDs() {
		behaviours = append(behaviours, behaviour{name: "good: " + name, test: func(t *testing.T, _ Harness, s ports.Store) { idWorks(t, s, id) }})
	}
	for name, id := range badIDs() {
		behaviours = append(behaviours, behaviour{name: "bad: " + name, test: func(t *testing.T, _ Harness, s ports.Store) { idRefused(t, s, id) }})
	}
	return behaviours
}

// idWorks takes one game through its life by every method.
func idWorks(t *testing.T, s ports.Store, id string) {
	requireRoundTrip(t, s, running(id))
	moved := transition(t, s, stop(id, 5))
	require.Equal(t, id, moved.Record.GameID)
	require.Len(t, stateOf(t, s, id).history, 2)

	all, err := s.List(t.Context())
	require.NoError(t, err)
	require.Equal(t, []string{id}, ids(all))
	byStatus, err := s.ListByStatus(t.Context(), runtime.StatusStopped)
	require.NoError(t, err)
	require.Equal(t, []string{id}, ids(byStatus))
	page, err := s.ListPage(t.Context(), ports.PageQuery{Limit: 1})
	require.NoError(t, err)
	require.Equal(t, []runtime.VersionedRecord{moved}, page.Records)

	w := openWatch(t, s, ports.WatchOptions{GameID: id})
	snapshot, _ := w.snapshot()
	require.Equal(t, []string{id}, ids(snapshot))
	transition(t, s, resume(id, 6))
	require.Equal(t, id, w.event().GameID)

	err = s.UpdateStatus(t.Context(), resume(id, 7))
	var conflict *runtime.ConflictError
	require.ErrorAs(t, err, &conflict)
	require.Equal(t, id, conflict.GameID)
	require.Equal(t, id, conflict.Current.GameID)
}

// idRefused wants every method to refuse the id and nothing to be written.
func idRefused(t *testing.T, s ports.Store, id string) {
	ctx := t.Context()
	calls := map[string]func() error{
		"Get":          func() error { _, err := s.Get(ctx, id); return err },
		"GetVersioned": func() error { _, err := s.GetVersioned(ctx, id); return err },
		"History":      func() error { _, err := s.History(ctx, id); return err },
		"Upsert":       func() error { return s.Upsert(ctx, running(id)) },
		"Put":          func() error { _, err := s.Put(ctx, ports.PutInput{Record: running(id)}); return err },
		"UpdateStatus": func() error { return s.UpdateStatus(ctx, stop(id, 5)) },
		"Transition":   func() error { _, err := s.Transition(ctx, operation(stop(id, 5), "op")); return err },
	}
	if id != "" {
		calls["Watch"] = func() error { return firstError(ctx, s, ports.WatchOptions{GameID: id}) }
	}
	for method, call := range calls {
		err := call()
		require.ErrorIs(t, err, runtime.ErrInvalid, "%s of %q", method, id)
		requireInvalid(t, err, "game_id")
	}
	requireEmpty(t, s)
}

// firstError returns what comes first out of a watch: nil for an event.
func firstError(ctx context.Context, s ports.Store, options ports.WatchOptions) error {
	for _, err := range s.Watch(ctx, options) {
		return err
	}
	return nil
}

func idsSideBySide(t *testing.T, _ Harness, s ports.Store) {
	want := map[string]runtime.RuntimeRecord{}
	for name, id := range goodIDs() {
		r := running(id)
		r.StatePath = name
		want[id] = r
		require.NoError(t, s.Upsert(t.Context(), r), "upsert %q", id)
	}
	all, err := s.List(t.Context())
	require.NoError(t, err)
	require.Len(t, all, len(want))
	require.Equal(t, want, byID(all))
	for id, r := range want {
		got, err := s.Get(t.Context(), id)
		require.NoError(t, err, "get %q", id)
		require.Equal(t, r, got)
		require.Len(t, stateOf(t, s, id).history, 1, "writes of %q", id)
	}
}

func idsAreNotNormalised(t *testing.T, _ Harness, s ports.Store) {
	put(t, s, running("caf\u00e9"))
	_, err := s.Get(t.Context(), "cafe\u0301")
	require.ErrorIs(t, err, runtime.ErrNotFound)
	put(t, s, stopped("cafe\u0301"))
	require.Equal(t, runtime.StatusRunning, stateOf(t, s, "caf\u00e9").Record.Status)
}

func idsArePrefixFree(t *testing.T, _ Harness, s ports.Store) {
	longer := []string{"a/b", "a0", "a%2Fb", "aa", "a/", "a\u00e9"}
	for _, id := range longer {
		put(t, s, running(id))
	}
	_, err := s.Get(t.Context(), "a")
	require.ErrorIs(t, err, runtime.ErrNotFound)
	_, err = s.History(t.Context(), "a")
	require.ErrorIs(t, err, runtime.ErrNotFound)

	put(t, s, running("a"))
	w := openWatch(t, s, ports.WatchOptions{GameID: "a"})
	snapshot, _ := w.snapshot()
	require.Equal(t, []string{"a"}, ids(snapshot))
	for _, id := range longer {
		transition(t, s, stop(id, 5))
	}
	require.Equal(t, runtime.StatusRunning, stateOf(t, s, "a").Record.Status)
	require.Len(t, stateOf(t, s, "a").history, 1)
	transition(t, s, stop("a", 6))
	require.Equal(t, "a", w.event().GameID)
}
