package cli

import (
	"context"
	"slices"
	"strconv"

	"github.com/spf13/cobra"

	"galaxy/rtmanager/internal/adapters/httpclient"
	"galaxy/rtmanager/internal/api"
)

func (a *app) nodesCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "nodes",
		Short: "Show the daemons that take part",
		Long: `Nodes shows every daemon that is present, with the engine that it runs games
with and the address at which others reach it. One node of each region leads: it
looks after games whose node is gone.

A daemon that is not listed is gone, or runs without an engine.`,
		Example: `  rtmanager nodes
  rtmanager nodes -o json | jq -r '.items[].api'`,
		Args: noArguments,
		RunE: a.verb(func(cmd *cobra.Command, _ []string) error {
			return a.call(cmd.Context(), func(ctx context.Context, client *httpclient.Client) error {
				nodes, err := client.Nodes(ctx)
				if err != nil {
					return err
				}
				return a.printNodes(nodes)
			})
		}),
	}
}

func (a *app) printNodes(nodes api.Nodes) error {
	if encoder, ok := a.encoder(a.streams.Out); ok {
		return encoder.encode(nodes)
	}
	wide := a.globals.output == outputWide
	t := &table{header: []string{"REGION", "NODE", "LEADER", "ENGINE", "VERSION", "API", "UP-SINCE"}}
	if wide {
		t.header = append(t.header, "RESPONDER", "CLOCK", "INSTANCE", "IDENTITY", "SESSION")
	}
	for _, n := range nodes.Items {
		at := n.Ref()
		row := []string{
			cell(n.Region), cell(n.Name), yes(slices.Contains(nodes.Leaders, at)), cell(string(n.Engine)),
			cell(n.Version), cell(n.API), instant(n.StartedAt),
		}
		if wide {
			row = append(row, yes(at == nodes.Responder), instant(n.Now), cell(n.Instance), cell(n.Identity), strconv.FormatInt(n.Session, 10))
		}
		t.add(row...)
	}
	return a.printTable(t)
}

func yes(is bool) string {
	if is {
		return "yes"
	}
	return "-"
}
