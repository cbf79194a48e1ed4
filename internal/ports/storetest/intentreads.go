package storetest

import (
	"context"
	"net/url"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	lifecycle "galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

func intentReadBehaviours() []intentBehaviour {
	return []intentBehaviour{
		{"a game without an intent has an empty one at revision 0", intentAbsent},
		{"an intent comes back as it was written", intentComesBack},
		{"an intent shares no memory with the store", intentSharesNothing},
		{"good ids live side by side and are listed in the order of their keys", intentIDs},
		{"a bad id is ErrInvalid", intentBadIDs},
		{"more intents than fit a page are listed", intentsOverPages},
		{"reads and writes end when their context has ended", intentContexts},
	}
}

func intentAbsent(t *testing.T, _ IntentHarness, s ports.IntentStore) {
	putIntent(t, s, fullIntent("other"), 0)
	require.Equal(t, ports.VersionedIntent{Intent: lifecycle.Intent{GameID: "a"}}, intentOf(t, s, "a"))
}

func intentComesBack(t *testing.T, _ IntentHarness, s ports.IntentStore) {
	empty, err := s.ListIntents(t.Context())
	require.NoError(t, err)
	require.Empty(t, empty)
	for _, intent := range []lifecycle.Intent{fullIntent("full"), {GameID: "bare"}, {GameID: "wanted", Wanted: runtime.StatusStopped}} {
		revision := putIntent(t, s, intent, 0)
		want := ports.VersionedIntent{Intent: intent, Revision: revision}
		require.Equal(t, want, intentOf(t, s, intent.GameID))
		all, err := s.ListIntents(t.Context())
		require.NoError(t, err)
		require.Contains(t, all, want)
	}
}

func intentSharesNothing(t *testing.T, _ IntentHarness, s ports.IntentStore) {
	written := fullIntent("a")
	putIntent(t, s, written, 0)
	spoil := func(in lifecycle.Intent) {
		in.Spec.Env["A"], in.Spec.Args[0] = "spoilt", "spoilt"
		in.Current.Step, in.Current.Before.Node = "spoilt", "spoilt"
		in.Recent[0].OperationID, in.Restarts[0] = "spoilt", instant(99)
	}
	spoil(written)
	spoil(intentOf(t, s, "a").Intent)
	all, err := s.ListIntents(t.Context())
	require.NoError(t, err)
	spoil(all[0].Intent)
	require.Equal(t, fullIntent("a"), intentOf(t, s, "a").Intent)
}

func intentIDs(t *testing.T, _ IntentHarness, s ports.IntentStore) {
	var want []ports.VersionedIntent
	for _, id := range goodIDs() {
		intent := lifecycle.Intent{GameID: id, Wanted: runtime.StatusRunning, Spec: lifecycle.Spec{Image: "x:" + url.PathEscape(id)}}
		want = append(want, ports.VersionedIntent{Intent: intent, Revision: putIntent(t, s, intent, 0)})
	}
	slices.SortFunc(want, func(a, b ports.VersionedIntent) int {
		ka, kb := url.PathEscape(a.Intent.GameID), url.PathEscape(b.Intent.GameID)
		return slices.Compare([]byte(ka), []byte(kb))
	})
	all, err := s.ListIntents(t.Context())
	require.NoError(t, err)
	require.Equal(t, want, all)
	for _, w := range want {
		require.Equal(t, w, intentOf(t, s, w.Intent.GameID))
	}
}

func intentBadIDs(t *testing.T, _ IntentHarness, s ports.IntentStore) {
	for name, id := range badIDs() {
		_, err := s.GetIntent(t.Context(), id)
		requireInvalid(t, err, "game_id")
		_, err = s.PutIntent(t.Context(), lifecycle.Intent{GameID: id}, 0)
		require.ErrorIs(t, err, runtime.ErrInvalid, name)
	}
	all, err := s.ListIntents(t.Context())
	require.NoError(t, err)
	require.Empty(t, all)
}

func intentsOverPages(t *testing.T, _ IntentHarness, s ports.IntentStore) {
	const games = 1100 // etcdstore's first page has 500
	for n := range games {
		putIntent(t, s, lifecycle.Intent{GameID: game(n)}, 0)
	}
	all, err := s.ListIntents(t.Context())
	require.NoError(t, err)
	require.Len(t, all, games)
	for n, found := range all {
		require.Equal(t, game(n), found.Intent.GameID)
	}
}

func intentContexts(t *testing.T, _ IntentHarness, s ports.IntentStore) {
	revision := putIntent(t, s, fullIntent("a"), 0)
	ctx := ended(t)
	for method, call := range map[string]func() error{
		"GetIntent":   func() error { _, err := s.GetIntent(ctx, "a"); return err },
		"ListIntents": func() error { _, err := s.ListIntents(ctx); return err },
		"PutIntent":   func() error { _, err := s.PutIntent(ctx, lifecycle.Intent{GameID: "a"}, revision); return err },
	} {
		require.ErrorIs(t, call(), context.Canceled, method)
	}
	require.Equal(t, ports.VersionedIntent{Intent: fullIntent("a"), Revision: revision}, intentOf(t, s, "a"))
}
