package complete

import (
	"context"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"galaxy/rtmanager/internal/adapters/httpclient"
	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/cli/internal/render"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// Source requests values from the daemon.
type Source struct {
	// CallDaemon calls use with a client, and with a context that ends after the time for which a
	// shell may wait.
	CallDaemon func(ctx context.Context, use func(context.Context, *httpclient.Client) error) error
}

// Bind completes the flags and arguments of all commands below root whose values the daemon has, and
// those of serve, whose nodes and regions are new names.
func (s Source) Bind(root *cobra.Command) {
	for _, cmd := range root.Commands() {
		if cmd.Name() == "serve" {
			bindServe(cmd)
			continue
		}
		for name, complete := range map[string]cobra.CompletionFunc{
			"node": s.nodeNames, "region": s.regions, "regions": s.regions, "to": s.nodeRefs,
			"image": s.images, "current-image": s.images, "selector": s.selectors, "label-columns": s.labelKeys, "label": s.labels,
		} {
			if flag := cmd.Flags().Lookup(name); flag != nil && flag.Value.Type() != "bool" {
				_ = cmd.RegisterFlagCompletionFunc(name, complete)
			}
		}
		switch cmd.Name() {
		case "cordon", "uncordon", "drain", "pause", "resume":
			cmd.ValidArgsFunction = s.nodeRefs
		case "remove":
			if root.Name() == "nodes" {
				cmd.ValidArgsFunction = s.nodeRefs
			}
		}
		s.Bind(cmd)
	}
}

// bindServe completes the flags of serve that have few values.
func bindServe(cmd *cobra.Command) {
	for name, values := range map[string][]string{
		"engine": {"auto", "docker", "process", "none"}, "log-level": {"debug", "info", "warn", "error"}, "log-format": {"auto", "text", "json"},
		"auth": {"auto", "on", "off"}, "docker-endpoint": {"published", "container"},
	} {
		_ = cmd.RegisterFlagCompletionFunc(name, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp))
	}
}

// records returns a page of the records that match the filter.
func (s Source) records(ctx context.Context, filter ports.RecordFilter) []runtime.VersionedRecord {
	var records []runtime.VersionedRecord
	_ = s.CallDaemon(ctx, func(ctx context.Context, client *httpclient.Client) error {
		page, err := client.ListPage(ctx, ports.PageQuery{RecordFilter: filter, Limit: ports.MaxPageLimit})
		records = page.Records
		return err
	})
	return records
}

// nodes returns all nodes.
func (s Source) nodes(ctx context.Context) []api.Node {
	var nodes api.Nodes
	_ = s.CallDaemon(ctx, func(ctx context.Context, client *httpclient.Client) (err error) {
		nodes, err = client.Nodes(ctx)
		return err
	})
	return nodes.Items
}

// distinct returns the distinct values that start with the prefix, in order.
func distinct(values []string, prefix string) []string {
	values = slices.DeleteFunc(values, func(value string) bool {
		return value == "" || !strings.HasPrefix(value, prefix) || render.ShellWord(value) != value
	})
	slices.Sort(values)
	return slices.Compact(values)
}
