package cli_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/federation"
	"galaxy/rtmanager/internal/adapters/httpserver"
	stores "galaxy/rtmanager/internal/domain/federation"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/testkit/memstore"
	"galaxy/rtmanager/internal/testkit/servertest"
)

// federatedDaemon is the API of one store.
type federatedDaemon struct {
	server string
	store  *memstore.Store
	games  *fakeManager // the operations that it executed
}

// startStore serves a store with running games of the ids. The daemon federates the other stores.
func startStore(t *testing.T, region string, other []stores.Setting, gameIDs ...string) federatedDaemon {
	t.Helper()
	d := federatedDaemon{store: memstore.New(), games: &fakeManager{}}
	for _, id := range gameIDs {
		record := runningRecord(id)
		record.Region, record.Node = region, "n1"
		require.NoError(t, d.store.Upsert(t.Context(), record))
	}
	cfg := servertest.Config{Config: httpserver.Config{Region: region, Node: "n1"}, Local: d.games}
	if other != nil {
		client := federation.New(federation.Config{Self: node.Ref{Region: region, Name: "n1"}, StoreID: d.store.ID, Stores: other})
		done := make(chan struct{})
		ctx := t.Context()
		go func() {
			defer close(done)
			_ = client.Run(ctx)
		}()
		t.Cleanup(func() { <-done })
		cfg.Federation = client
	}
	server, _, err := servertest.New(d.store, cfg)
	require.NoError(t, err)
	d.server = serveHandler(t, server.Handler())
	return d
}

// startFederation serves the stores eu and us, and us is federated by eu. The game us/shared is in eu, shared in us.
func startFederation(t *testing.T) (eu, us federatedDaemon) {
	t.Helper()
	us = startStore(t, "us", nil, "game-1", "shared", "a/b", "eu/x")
	return startStore(t, "eu", []stores.Setting{{Name: "us", URLs: []string{us.server}}}, "game-1", "us/shared", "plain/id"), us
}

// STORE/GAME is a game of another store, unless the daemon's own store has a record of that id.
func TestGamesOfAnotherStore(t *testing.T) {
	t.Parallel()
	eu, _ := startFederation(t)
	for _, c := range []struct {
		arguments    string
		region, game string // of the record; an empty region means that there is none
	}{
		{"game-1", "eu", "game-1"},
		{"--store us game-1", "us", "game-1"},
		{"--store eu game-1", "eu", "game-1"},
		{"us/game-1", "us", "game-1"},
		{"eu/game-1", "eu", "game-1"},
		{"us/shared", "eu", "us/shared"},
		{"--store us shared", "us", "shared"},
		{"us/a/b", "us", "a/b"},
		{"--store us us/shared", "", "us/shared"},
		{"--store eu us/shared", "eu", "us/shared"},
		{"--store us eu/x", "us", "eu/x"},
		{"us/eu/x", "us", "eu/x"},
		{"plain/id", "eu", "plain/id"},
		{"plain/none", "", "plain/none"},
		{"us/none", "", "none"},
		{"us/", "", "us/"},
	} {
		r := run(t, eu.server, strings.Fields("get -o json "+c.arguments)...)
		if c.region == "" {
			r.requireCode(t, 4, c.arguments)
			require.Regexp(t, regexp.QuoteMeta(c.game)+`"?: no such game`, r.err, c.arguments)
			continue
		}
		r.requireCode(t, 0, c.arguments)
		require.Contains(t, r.out, fmt.Sprintf(`"game_id":%q,"status":"running","region":%q`, c.game, c.region), c.arguments)
	}
	for arguments, want := range map[string]string{
		"get --store none game-1":                        `no such store: "none"; this daemon knows us`,
		"get --store ../x game-1":                        `--store "../x" is not the name of a store`,
		"delete us/a game-1 --yes":                       "are games of different stores",
		"list --all-stores --store us":                   "exclude each other",
		"list --allow-partial":                           "requires --all-stores",
		"history us/none":                                "no such game",
		"set-status us/none --from running --to stopped": "no such game",
	} {
		r := run(t, eu.server, strings.Fields(arguments)...)
		require.NotZero(t, r.code, arguments)
		require.Contains(t, r.err, want, arguments)
	}
}

// Every command for games sends its request to the store of the game.
func TestOperationsOnGamesOfAnotherStore(t *testing.T) {
	t.Parallel()
	eu, us := startFederation(t)
	for _, arguments := range []string{
		"start us/new --image game:1", "stop us/game-1", "restart us/game-1", "patch us/game-1 --image game:2", "cleanup --store us game-1",
	} {
		run(t, eu.server, strings.Fields(arguments)...).requireCode(t, 0, arguments)
	}
	require.Empty(t, eu.games.requests)
	var got []string
	for _, request := range us.games.requests {
		got = append(got, string(request.Kind)+" "+request.GameID)
	}
	require.Equal(t, []string{"start new", "stop game-1", "restart game-1", "patch game-1", "cleanup game-1"}, got)
	for _, arguments := range []string{
		"explain us/game-1", "history us/a/b", "set-status us/a/b --from running --to stopped --record-only", "set-status --store us a/b --from stopped --to removed --record-only", "delete us/a/b --yes",
	} {
		run(t, eu.server, strings.Fields(arguments)...).requireCode(t, 0, arguments)
	}
	r := run(t, eu.server, "watch", "--game", "us/game-1", "--timeout", "3s", "-o", "json")
	r.requireCode(t, 124, "watch")
	require.Contains(t, r.out, `"game_id":"game-1"`)
	require.NotContains(t, r.out, `"shared"`)
}

// The lists of all stores are one table, in which each game has its store.
func TestListOfAllStores(t *testing.T) {
	t.Parallel()
	eu, us := startFederation(t)
	r := run(t, eu.server, "list", "--all-stores", "--no-headers")
	r.requireCode(t, 0, "list")
	var got []string
	for line := range strings.Lines(r.out) {
		fields := strings.Fields(line)
		got = append(got, fields[0]+" "+fields[1])
	}
	require.Equal(t, []string{"eu game-1", "eu plain/id", "eu us/shared", "us a/b", "us eu/x", "us game-1", "us shared"}, got)
	require.Regexp(t, `^rtmanager: list: eu at revision \d+, \d+ ms ago; us at revision \d+, \d+ ms ago\n$`, r.err)
	r = run(t, eu.server, "list", "--all-stores", "--limit", "5", "--no-headers")
	r.requireCode(t, 0, "list")
	require.Equal(t, 5, strings.Count(r.out, "\n"))
	require.Contains(t, r.err, "showing the first 5 records")
	r = run(t, us.server, "list", "--all-stores", "--no-headers")
	r.requireCode(t, 0, "a daemon that federates no store")
	require.Equal(t, 4, strings.Count(r.out, "\n"))
}

// A list of all stores without one of them is an error, unless that is allowed.
func TestPartialListOfAllStores(t *testing.T) {
	t.Parallel()
	eu := startStore(t, "eu", []stores.Setting{{Name: "us", URLs: []string{unusedAddress}}}, "game-1")
	r := run(t, eu.server, "list", "--all-stores")
	r.requireCode(t, 5, "list")
	require.Empty(t, r.out)
	require.Contains(t, r.err, "a part of the result is missing: store us: does not respond at "+unusedAddress)
	require.Contains(t, r.err, "hint: --allow-partial lists the other stores")
	r = run(t, eu.server, "list", "--all-stores", "--allow-partial")
	r.requireCode(t, 0, "list")
	require.Contains(t, r.out, "game-1")
	require.Contains(t, r.err, "warning: store us is missing: does not respond at "+unusedAddress)
	r = run(t, eu.server, "stores")
	r.requireCode(t, 0, "stores")
	require.Regexp(t, `(?m)^eu\s+ready\s+\(own\)`, r.out)
	require.Regexp(t, `(?m)^us\s+unreachable`, r.out)
	require.Contains(t, r.err, "warning: store us does not respond at "+unusedAddress)
	r = run(t, eu.server, "--store", "us", "list")
	r.requireCode(t, 5, "list")
	require.Contains(t, r.err, "store us does not respond")
}
