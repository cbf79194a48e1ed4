package cli

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"galaxy/rtmanager/internal/adapters/httpclient"
	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/drift"
)

// How much of what is kept a page shows.
const (
	explainedEntries  = 5
	explainedOutcomes = 5
	explainedLines    = 20
)

func (a *app) explainCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "explain GAME",
		Short: "Tell what a game is doing, and how it came to that",
		Long: `Explain puts on one page what is known of a game: what it is now and since when,
the newest lines of its history, the operation that is in progress, how the last
ones ended, its containers with their exit codes, what does not agree, the last
lines of its log, and whether its node is there. What cannot be learned is said
to be missing.`,
		Example: `  rtmanager explain game-1
  rtmanager explain game-1 -o json | jq '.intent.recent[0].failure'`,
		Args:              oneGame,
		ValidArgsFunction: a.completeGame,
		RunE: a.verb(func(cmd *cobra.Command, args []string) error {
			return a.call(cmd.Context(), func(ctx context.Context, client *httpclient.Client) error {
				page, err := client.Explain(ctx, args[0])
				if err != nil {
					return err
				}
				if encoder, ok := a.encoder(a.streams.Out); ok {
					return encoder.encode(page)
				}
				nodes, err := client.Nodes(ctx)
				return a.printPage(page, nodes, err == nil)
			})
		}),
	}
}

// printPage writes the page for reading; every part that has nothing to say is left out.
func (a *app) printPage(page drift.Explanation, nodes api.Nodes, known bool) error {
	out := new(strings.Builder)
	_ = a.summaryOf(page, nodes, known).write(out, false, a.globals.painter())
	section := func(title string, t *table) {
		if len(t.rows) > 0 {
			fmt.Fprintf(out, "\n%s\n", title)
			_ = t.write(indented{out}, !a.globals.noHeaders, a.globals.painter())
		}
	}
	section("History, newest first:", a.historyOf(page.History))
	section("Operations that have ended:", a.outcomesOf(page.Intent))
	section("Containers:", a.containersOf(page))
	if len(page.Findings) > 0 {
		section("What does not agree:", a.driftTable(page.Findings))
	}
	if lines := page.Logs[max(0, len(page.Logs)-explainedLines):]; len(lines) > 0 {
		fmt.Fprintln(out, "\nLast lines of its log:")
		for _, line := range lines {
			fmt.Fprintf(out, "  | %s\n", oneLine(line))
		}
	}
	for i, trouble := range page.Warnings {
		if i == 0 {
			fmt.Fprintln(out, "\nWhat could not be learned:")
		}
		fmt.Fprintf(out, "  %s\n", oneLine(trouble))
	}
	_, err := io.WriteString(a.streams.Out, out.String())
	return err
}

// indented moves the lines of a table to the right.
type indented struct{ out io.Writer }

func (i indented) Write(text []byte) (int, error) {
	for line := range strings.Lines(string(text)) {
		if _, err := io.WriteString(i.out, "  "+line); err != nil {
			return 0, err
		}
	}
	return len(text), nil
}

func (a *app) summaryOf(page drift.Explanation, nodes api.Nodes, known bool) *table {
	t := &table{header: []string{"", ""}}
	t.add("Game:", plain(page.GameID))
	if r := page.Record; r != nil {
		t.add("Status:", plain(string(r.Status)))
		since := sinceWhen(*r)
		t.add("Since:", fmt.Sprintf("%s (%s ago), revision %d", instant(since), age(a.streams.Now().Sub(since)), page.Revision))
		if len(page.History) > 0 {
			t.add("Because:", because(page.History[0]))
		}
		if r.Node != "" {
			t.add("Node:", plain(r.Region+"/"+r.Node)+presence(*r, nodes, known))
		}
		for _, c := range page.Containers {
			if c.ID == r.CurrentContainerID {
				t.add("Container:", plain(c.ID)+", "+a.containerText(c))
			}
		}
		if r.CurrentImageRef != "" {
			t.add("Image:", plain(r.CurrentImageRef)+", generation "+strconv.FormatInt(r.Generation, 10))
		}
		if r.EngineEndpoint != "" {
			t.add("Endpoint:", plain(r.EngineEndpoint))
		}
	} else {
		t.add("Status:", "there is no record")
	}
	if in := page.Intent; in != nil {
		if in.DesiredStatus != "" {
			t.add("Wanted:", plain(string(in.DesiredStatus)))
		}
		if len(in.Restarts) > 0 {
			t.add("Crashes:", fmt.Sprintf("started again %s, last %s ago", counted(len(in.Restarts), "time"), age(a.streams.Now().Sub(in.Restarts[0]))))
		}
		if in.Current != nil {
			t.add("In progress:", a.operationText(*in.Current))
		}
	}
	return t
}
