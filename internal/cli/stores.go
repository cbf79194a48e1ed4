package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"galaxy/rtmanager/internal/adapters/httpclient"
	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/cli/internal/exit"
	"galaxy/rtmanager/internal/cli/internal/output"
	"galaxy/rtmanager/internal/cli/internal/render"
	"galaxy/rtmanager/internal/domain/access"
	"galaxy/rtmanager/internal/domain/federation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

func (a *app) storesCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "stores",
		Short: "List the store of the daemon, and those that it federates",
		Long: `Stores lists the store of the daemon and the other ones that it federates: whether
each can be used, at which URL, its revision, and the age of its last response.

STATE is "ready"; "degraded" if only local reads work, because the daemons of the store
cannot reach their etcd; "unreachable"; "incompatible" for another version of the API;
"denied" if the store rejects the certificate of the daemon; and "duplicate" if two names
are the same store. The topic store-names describes how commands select a store.`,
		Example: `  rtmanager stores
  rtmanager --store us nodes
  rtmanager stores -o json | jq -r '.items[] | select(.state != "ready") | .name'`,
		Args: requireNoArguments,
		RunE: a.runE(func(cmd *cobra.Command, _ []string) error {
			return a.callDaemon(cmd.Context(), func(ctx context.Context, client *httpclient.Client) error {
				stores, err := client.Stores(ctx)
				if err != nil {
					return err
				}
				return a.printer().Stores(stores)
			})
		}),
	}
}

func storesTopic() *cobra.Command {
	return &cobra.Command{
		Use:   "store-names",
		Short: "How commands select another store",
		Long: `A daemon may federate other stores, and forwards requests to them. Every command that sends
requests to the daemon has the flag --store NAME: it is then for that store, as if it was
sent to a daemon there. Games, nodes, revisions and rights are those of that store.

The commands for games also accept STORE/GAME. A game id may contain slashes itself, so
this is the rule, by the text before the first slash:

  - With --store the argument is the game id, always.
  - Without, STORE/GAME is a game of a store if the command stores lists STORE, the
    daemon federates a store, and its own store has no record of the id "STORE/GAME".
  - Everything else is a game id of the store of the daemon.

Scripts use --store: a game of the id "STORE/GAME" can be created at any time.

  rtmanager --store us stop game-1     # the primary way
  rtmanager stop us/game-1             # the same, unless a local game has this id
  rtmanager --store eu stop us/game-1  # the game us/game-1 of the own store, eu`,
	}
}

// selectGame returns the game id of an argument GAME or STORE/GAME. It selects the store of the
// latter for all further requests.
func (a *app) selectGame(ctx context.Context, argument string) (gameID string, err error) {
	store, rest, hasStore := strings.Cut(argument, "/")
	if !hasStore || rest == "" || a.globals.store != "" || !isStoreName(store) {
		return argument, nil
	}
	gameID = argument
	err = a.callDaemon(ctx, func(ctx context.Context, client *httpclient.Client) error {
		stores, err := client.Stores(ctx)
		isNamed := func(s api.Store) bool { return s.Name == store }
		if err != nil || len(stores.Items) < 2 || !slices.ContainsFunc(stores.Items, isNamed) {
			return err
		}
		switch _, err = client.GetVersioned(ctx, argument); {
		case errors.Is(err, runtime.ErrNotFound), errors.Is(err, access.ErrForbidden):
			// The caller could do nothing with a local game that it may not read.
			a.globals.store, gameID = store, rest
			return nil
		case errors.Is(err, runtime.ErrCorrupt):
			return nil // the store has a record
		}
		return err
	})
	return gameID, err
}

func isStoreName(text string) bool { return federation.ValidateName(text) == nil }

// selectGames is selectGame for several arguments, which must be of one store.
func (a *app) selectGames(ctx context.Context, arguments []string) ([]string, error) {
	given := a.globals.store
	selected := given
	games := make([]string, len(arguments))
	for i, argument := range arguments {
		a.globals.store = given
		gameID, err := a.selectGame(ctx, argument)
		if err != nil {
			return nil, err
		}
		if i > 0 && a.globals.store != selected {
			return nil, exit.UsageError{Err: fmt.Errorf("%s and %s are games of different stores; use one command for each store", arguments[0], argument)}
		}
		games[i], selected = gameID, a.globals.store
	}
	return games, nil
}

// listAllStores prints the records of all stores.
func (a *app) listAllStores(ctx context.Context, flags listFlags) error {
	query, err := flags.query()
	if err != nil {
		return err
	}
	flags.all = flags.all || output.Format(a.globals.output).IsDocument()
	var list api.Page
	var hidden int
	err = a.withClient(httpclient.Config{}, func(client *httpclient.Client) (err error) {
		for range maxListAttempts {
			if list, hidden, err = a.readAllStores(ctx, client, query, flags); !errors.Is(err, runtime.ErrCompacted) {
				break
			}
		}
		return err
	})
	if errors.Is(err, runtime.ErrPartial) {
		return exit.HintError{Err: err, Hint: "--allow-partial lists the other stores; `rtmanager stores` shows the state of each"}
	}
	if err != nil {
		return err
	}
	if err := a.printer().AllStores(list); err != nil {
		return err
	}
	if hidden > 0 {
		a.printMessagef("list", "%s hidden; --all shows them", render.Count(hidden, "removed game"))
	}
	if list.Continue != "" {
		a.printMessagef("list", "showing the first %s (--limit)", render.Count(flags.limit, "record"))
	}
	return a.reportCorrupt(list.PortsPage().Corrupt)
}

// readAllStores reads all pages, up to the limit if it is not 0, and returns them as one, with the
// number of removed games that it has omitted.
func (a *app) readAllStores(ctx context.Context, client *httpclient.Client, query ports.PageQuery, flags listFlags) (list api.Page, hidden int, err error) {
	for {
		if flags.limit > 0 {
			query.Limit = min(listPageSize, flags.limit-len(list.Items))
		}
		limited, cancel := a.globals.withTimeout(ctx)
		page, err := client.ListAllStores(limited, query, flags.isPartial)
		cancel()
		if err != nil {
			return api.Page{}, 0, err
		}
		list.Stores, list.Continue = page.Stores, page.Continue
		list.Corrupt = append(list.Corrupt, page.Corrupt...)
		for i, record := range page.Items {
			if !flags.all && len(query.Statuses) == 0 && record.Status == runtime.StatusRemoved {
				hidden++
				continue
			}
			list.Items = append(list.Items, record)
			list.ItemRevisions = append(list.ItemRevisions, page.ItemRevisions[i])
			list.ItemStores = append(list.ItemStores, page.ItemStores[i])
		}
		if query.After = page.Continue; page.Continue == "" || flags.limit > 0 && len(list.Items) >= flags.limit {
			return list, hidden, nil
		}
	}
}
