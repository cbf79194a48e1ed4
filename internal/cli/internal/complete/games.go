package complete

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"galaxy/rtmanager/internal/cli/internal/render"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// statuses are those of the games for which a command does something, by the name of the command.
var statuses = map[string][]runtime.Status{
	"cleanup": {runtime.StatusStopped},
	"delete":  {runtime.StatusRemoved},
	"exec":    {runtime.StatusRunning},
	"move":    {runtime.StatusRunning},
	"patch":   {runtime.StatusRunning, runtime.StatusStopped},
	"restart": {runtime.StatusRunning},
	"start":   {runtime.StatusStopped, runtime.StatusRemoved},
	"stats":   {runtime.StatusRunning},
	"stop":    {runtime.StatusRunning},
}

// Game completes the only argument, a game id.
func (s Source) Game(cmd *cobra.Command, args []string, prefix string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return s.Games(cmd, args, prefix)
}

// Games completes game ids, without those that are given already. The statuses of the games are
// those that the command is for.
func (s Source) Games(cmd *cobra.Command, args []string, prefix string) ([]string, cobra.ShellCompDirective) {
	var ids []string
	for _, v := range s.records(cmd.Context(), ports.RecordFilter{Statuses: statuses[cmd.Name()], GamePrefix: prefix}) {
		id := v.Record.GameID
		if strings.HasPrefix(id, prefix) && render.ShellWord(id) == id && !slices.Contains(args, id) {
			ids = append(ids, cobra.CompletionWithDesc(id, string(v.Record.Status)))
		}
	}
	return ids, cobra.ShellCompDirectiveNoFileComp
}
