package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"galaxy/rtmanager/internal/adapters/httpclient"
	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

const (
	// listPage is how many records a list asks for at a time.
	listPage = 1000
	// listAttempts is how often a list starts over whose revision the store has
	// forgotten on the way.
	listAttempts = 3
)

type listFlags struct {
	filter      recordFilter
	limit       int
	consistency consistency
}

func (a *app) listCommand() *cobra.Command {
	var flags listFlags
	cmd := &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List records, as of one revision",
		Long: `List shows every record, or those that pass the filters. However long the list,
all of it stands at one revision.

Stored values that cannot be read are reported on standard error after the
list, and make the exit code 1. With -o json the output is the API's object,
{"revision":…,"items":[…]}; with --limit it names in "continue" where the list
was cut off.

Linearizable, the default, shows everything that anybody was told is done. Local
is the daemon's own copy, which may be a moment old and can be had without etcd.`,
		Example: `  rtmanager list
  rtmanager list --status running --region eu
  rtmanager list -o wide
  rtmanager list -o json | jq -r '.items[].game_id'`,
		Args: noArguments,
	}
	flags.filter.bind(cmd)
	cmd.Flags().IntVar(&flags.limit, "limit", 0, "stop after `N` records; 0 lists all")
	flags.consistency.bind(cmd)
	cmd.RunE = a.verb(func(cmd *cobra.Command, _ []string) error { return a.list(cmd.Context(), flags) })
	return cmd
}

func (a *app) list(ctx context.Context, flags listFlags) error {
	query, err := flags.query()
	if err != nil {
		return err
	}
	var all ports.Page
	err = a.withClient(ctx, httpclient.Config{}, func(ctx context.Context, client *httpclient.Client) (err error) {
		for range listAttempts {
			all, err = a.collect(ctx, client, query, flags.limit)
			if !errors.Is(err, runtime.ErrCompacted) {
				return err
			}
		}
		return advisedError{err, "the list took longer than the store remembers its revision; filter it, or make the store remember longer"}
	})
	if err != nil {
		return err
	}
	if err := a.printList(all); err != nil {
		return err
	}
	if all.Next != "" {
		fmt.Fprintf(a.streams.Err, "rtmanager: list: stopped at --limit %d; there are more\n", flags.limit)
	}
	return a.reportDamage(all.Corrupt)
}

// query returns what to ask for, without the size of its pages.
func (f listFlags) query() (ports.PageQuery, error) {
	var faults []error
	local, err := f.consistency.local()
	if err != nil {
		faults = append(faults, err)
	}
	if f.limit < 0 {
		faults = append(faults, &runtime.InvalidError{Field: "--limit", Reason: fmt.Sprintf("is %d; use 1 or more, or 0 for all", f.limit)})
	}
	status, err := f.filter.status()
	return ports.PageQuery{Status: status, Region: f.filter.region, Node: f.filter.node, Local: local}, errors.Join(append(faults, err)...)
}

// collect follows the pages to the end or to the limit, and gives them as one.
func (a *app) collect(ctx context.Context, client *httpclient.Client, query ports.PageQuery, limit int) (ports.Page, error) {
	all := ports.Page{Records: []runtime.VersionedRecord{}}
	for {
		query.Limit = listPage
		if limit > 0 {
			query.Limit = min(listPage, limit-len(all.Records))
		}
		page, err := a.page(ctx, client, query)
		if err != nil {
			return ports.Page{}, err
		}
		all.Revision, all.Next = page.Revision, page.Next
		all.Records = append(all.Records, page.Records...)
		all.Corrupt = append(all.Corrupt, page.Corrupt...)
		if page.Next == "" || limit > 0 && len(all.Records) >= limit {
			return all, nil
		}
		query.Revision, query.After = page.Revision, page.Next
	}
}

func (a *app) page(ctx context.Context, client *httpclient.Client, query ports.PageQuery) (ports.Page, error) {
	ctx, cancel := a.globals.bounded(ctx)
	defer cancel()
	return client.ListPage(ctx, query)
}

func (a *app) printList(all ports.Page) error {
	if encoder, ok := a.encoder(a.streams.Out); ok {
		page := api.PageFrom(all)
		page.Continue = all.Next
		return encoder.encode(page)
	}
	if len(all.Records) == 0 && len(all.Corrupt) == 0 {
		fmt.Fprintf(a.streams.Err, "rtmanager: list: no such records at revision %d\n", all.Revision)
		return nil
	}
	return a.printTable(a.recordTable(all.Records))
}

// reportDamage names each value that could not be read and returns an error
// when there was one.
func (a *app) reportDamage(damaged []*runtime.CorruptError) error {
	for _, d := range damaged {
		fmt.Fprintf(a.streams.Err, "rtmanager: damaged: key %q: %s\n", d.Key, printable(d.Reason))
	}
	if len(damaged) == 0 {
		return nil
	}
	return damageError(len(damaged))
}

// damageError counts the values that could not be read.
type damageError int

func (e damageError) Error() string {
	if e == 1 {
		return "1 stored value could not be read"
	}
	return fmt.Sprintf("%d stored values could not be read", int(e))
}

// Is reports whether target is runtime.ErrCorrupt.
func (e damageError) Is(target error) bool { return target == runtime.ErrCorrupt }
