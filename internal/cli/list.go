package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"galaxy/rtmanager/internal/adapters/httpclient"
	"galaxy/rtmanager/internal/cli/internal/exit"
	"galaxy/rtmanager/internal/cli/internal/flags"
	"galaxy/rtmanager/internal/cli/internal/output"
	"galaxy/rtmanager/internal/cli/internal/render"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

const (
	// listPageSize is the maximum number of records in one page.
	listPageSize = 1000
	// maxListAttempts bounds how often a list starts over because the store has
	// compacted its revision.
	maxListAttempts = 3
)

type listFlags struct {
	filter      flags.Filter
	order       ports.RecordOrder
	limit       int
	all         bool
	consistency flags.Consistency
	isAllStores bool
	isPartial   bool
	// labelColumns and hasLabels are those of output.Printer.
	labelColumns []string
	hasLabels    bool
	isFollowed   bool
}

func (a *app) listCommand() *cobra.Command {
	var flags listFlags
	cmd := &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List records at one revision",
		Long: `List shows the records of games that are not removed; with --all, or with --status
removed, also those of removed games. With -o json, yaml, jsonpath, go-template or
custom-columns it prints every record, as the API does; -o name lists the games of the table.
The whole list is at one revision, however long it is.

Corrupt values are reported on standard error after the list, with exit code 1.
With -o json the output is the API's object, {"revision":…,"items":[…]}, and each item
has the revision of its last change; with --limit "continue" is where the list ends.

A warning on standard error names the lost nodes and how many games are on them, and
states how old the records are if that is more than a few seconds (--consistency local).

By default the read is linearizable: it includes every write that was acknowledged
before. With --consistency local it comes from the daemon's cache, which may be
slightly stale but works without etcd.

With --sort-by the daemon sorts the list by a field of the records; records with equal
fields are in the order of their game ids, and a field without a value is first.

With --watch it then shows a row for each change that alters one, until it is interrupted
(exit code 130); the command watch streams every change.

With --all-stores the list also has the records of the stores that the daemon federates,
each at a revision of its own. A store that does not respond is an error, unless
--allow-partial lists the others and names it on standard error.`,
		Example: `  rtmanager list
  rtmanager list --all-stores
  rtmanager list --status running --region eu --region us
  rtmanager list -l env=prod,mode!=ranked -L mode
  rtmanager list --all -o wide
  rtmanager list -l env=prod --watch
  rtmanager list --sort-by -created_at --limit 10
  rtmanager list -o json | jq -r '.items[].game_id'`,
		Args: requireNoArguments,
	}
	flags.bind(cmd)
	cmd.RunE = a.runE(func(cmd *cobra.Command, _ []string) error {
		switch err := errors.Join(validateLabelKeys("--label-columns", flags.labelColumns)...); {
		case err != nil:
			return err
		case flags.isFollowed && (flags.isAllStores || flags.limit > 0):
			return exit.UsageError{Err: errors.New("--watch excludes --all-stores and --limit")}
		case flags.isAllStores && (flags.hasLabels || len(flags.labelColumns) > 0):
			return exit.UsageError{Err: errors.New("--all-stores shows no labels; use -o json, or --store NAME")}
		case flags.isAllStores && !flags.order.IsZero():
			return exit.UsageError{Err: errors.New("--sort-by is for the list of one store; --all-stores lists several")}
		case flags.isAllStores && a.globals.store != "":
			return exit.UsageError{Err: errors.New("--all-stores and --store exclude each other")}
		case flags.isAllStores:
			return a.listAllStores(cmd.Context(), flags)
		case flags.isPartial:
			return exit.UsageError{Err: errors.New("--allow-partial requires --all-stores: the list of one store is never partial")}
		}
		if flags.isFollowed {
			if err := a.prepareFollow(cmd); err != nil {
				return err
			}
		}
		return a.list(cmd.Context(), flags)
	})
	return cmd
}

// bind declares the flags.
func (f *listFlags) bind(cmd *cobra.Command) {
	f.filter.Bind(cmd)
	flags.BindSortBy(cmd, &f.order)
	cmd.Flags().IntVar(&f.limit, "limit", 0, "maximum number `N` of records; 0 lists all")
	cmd.Flags().BoolVarP(&f.all, "all", "a", false, "also removed games")
	cmd.Flags().StringSliceVarP(&f.labelColumns, "label-columns", "L", nil, "`KEY,...` of labels to show as columns, repeatable")
	cmd.Flags().BoolVar(&f.hasLabels, "show-labels", false, "show all labels as the last column")
	f.consistency.Bind(cmd)
	bindFollow(cmd, &f.isFollowed)
	cmd.Flags().BoolVar(&f.isAllStores, "all-stores", false, "also the records of the stores that the daemon federates")
	cmd.Flags().BoolVar(&f.isPartial, "allow-partial", false, "with --all-stores, list what the stores that respond have")
}

// validateLabelKeys returns the error of each key, nil for a valid one.
func validateLabelKeys(flag string, keys []string) []error {
	errs := make([]error, len(keys))
	for i, key := range keys {
		errs[i] = runtime.ValidateLabelKey(flag, key)
	}
	return errs
}

func (a *app) list(ctx context.Context, flags listFlags) error {
	query, err := flags.query()
	if err != nil {
		return err
	}
	flags.all = flags.all || output.Format(a.globals.output).IsDocument()
	var list ports.Page
	var hidden int
	err = a.withClient(httpclient.Config{}, func(client *httpclient.Client) (err error) {
		for range maxListAttempts {
			list, hidden, err = a.listAll(ctx, client, query, flags)
			if !errors.Is(err, runtime.ErrCompacted) {
				return err
			}
		}
		return exit.HintError{Err: err, Hint: "the list took longer than the store keeps its revision; use filters, or a longer --etcd-retention of the daemons"}
	})
	if err != nil {
		return err
	}
	printer := a.printer()
	printer.LabelColumns, printer.HasLabels = flags.labelColumns, flags.hasLabels
	if flags.isFollowed {
		return a.follow(ctx, printer.RecordStream(), list, ports.WatchOptions{RecordFilter: query.RecordFilter})
	}
	if err := printer.Page(list); err != nil {
		return err
	}
	a.printer().RegionWarnings(list.Regions)
	if hidden > 0 {
		a.printMessagef("list", "%s hidden; --all shows them", render.Count(hidden, "removed game"))
	}
	if list.Next != "" {
		a.printMessagef("list", "showing the first %s (--limit)", render.Count(flags.limit, "record"))
	}
	return a.reportCorrupt(list.Corrupt)
}

// query returns the query without the size of its pages.
func (f listFlags) query() (ports.PageQuery, error) {
	local, errConsistency := f.consistency.IsLocal()
	var errLimit error
	if f.limit < 0 {
		errLimit = &runtime.InvalidError{Field: "--limit", Reason: fmt.Sprintf("is %d; use 1 or more, or 0 for all", f.limit)}
	}
	filter, errFilter := f.filter.Filter()
	return ports.PageQuery{RecordFilter: filter, Order: f.order, Local: local, Limit: listPageSize},
		errors.Join(errConsistency, errLimit, errFilter)
}

// listAll reads all pages, up to the limit if it is not 0, and returns them as one. It also
// returns how many removed games it has omitted.
func (a *app) listAll(ctx context.Context, client *httpclient.Client, query ports.PageQuery, flags listFlags) (list ports.Page, hidden int, err error) {
	list = ports.Page{Records: []runtime.VersionedRecord{}}
	reader := pageReader{globals: &a.globals, client: client, list: &list, limit: flags.limit}
	for page, err := range ports.AllPages(ctx, reader, query) {
		if err != nil {
			return ports.Page{}, 0, err
		}
		list.Revision, list.Next, list.Regions = page.Revision, page.Next, page.Regions
		for _, v := range page.Records {
			if !flags.all && len(query.Statuses) == 0 && v.Record.Status == runtime.StatusRemoved {
				hidden++
				continue
			}
			list.Records = append(list.Records, v)
		}
		list.Corrupt = append(list.Corrupt, page.Corrupt...)
		if flags.limit > 0 && len(list.Records) >= flags.limit {
			break
		}
	}
	return list, hidden, nil
}

// pageReader reads the next page of a list: within --timeout, and not beyond the limit.
type pageReader struct {
	globals *globals
	client  *httpclient.Client
	list    *ports.Page // the records so far
	limit   int         // 0 means no limit
}

func (r pageReader) ListPage(ctx context.Context, query ports.PageQuery) (ports.Page, error) {
	ctx, cancel := r.globals.withTimeout(ctx)
	defer cancel()
	if r.limit > 0 {
		query.Limit = min(query.Limit, r.limit-len(r.list.Records))
	}
	return r.client.ListPage(ctx, query)
}

// reportCorrupt prints each corrupt value and returns an error if there is any.
func (a *app) reportCorrupt(values []*runtime.CorruptError) error {
	for _, v := range values {
		a.reportCorruptValue(v)
	}
	if len(values) == 0 {
		return nil
	}
	return corruptCountError(len(values))
}

func (a *app) reportCorruptValue(value *runtime.CorruptError) {
	fmt.Fprintf(a.streams.Err, "rtmanager: corrupt: key %q: %s\n", value.Key, render.Printable(value.Reason))
}

// corruptCountError is a number of corrupt values.
type corruptCountError int

func (e corruptCountError) Error() string {
	return render.Count(int(e), "stored value") + " could not be read"
}

// Is reports whether target is runtime.ErrCorrupt.
func (e corruptCountError) Is(target error) bool { return target == runtime.ErrCorrupt }
