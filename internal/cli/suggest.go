package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// suggestedFor are the names under which docker, kubectl, nomad and systemctl have a command.
var suggestedFor = map[string][]string{
	"apply":      {"create", "upsert"},
	"cleanup":    {"prune", "gc"},
	"context":    {"config", "contexts"},
	"delete":     {"rm", "remove", "del", "purge"},
	"drain":      {"evacuate"},
	"explain":    {"describe", "inspect", "why"},
	"get":        {"show", "status", "cat"},
	"history":    {"log", "transitions"},
	"label":      {"labels", "tag"},
	"metadata":   {"annotate", "meta"},
	"list":       {"ps", "games", "runtimes"},
	"logs":       {"tail"},
	"move":       {"migrate", "mv", "relocate"},
	"nodes":      {"node", "hosts", "members"},
	"operations": {"ops", "jobs", "tasks"},
	"patch":      {"update", "upgrade", "set", "edit", "image"},
	"restart":    {"reboot", "reload"},
	"serve":      {"daemon", "server", "agent"},
	"start":      {"run", "launch", "up"},
	"stop":       {"kill", "down", "halt", "terminate"},
	"whoami":     {"auth"},
}

// bindSuggestions declares the names for which a command is suggested.
func bindSuggestions(root *cobra.Command) {
	root.DisableSuggestions = true // unknownCommandError has them
	for _, cmd := range root.Commands() {
		cmd.SuggestFor = suggestedFor[cmd.Name()]
	}
}

// unknownCommandError returns an error of cobra about an unknown command of the root with the
// commands that the user may have meant, and other errors unchanged. A name of suggestedFor
// has one suggestion; otherwise those are names that are similar.
func unknownCommandError(root *cobra.Command, err error) error {
	quoted, isUnknown := strings.CutPrefix(err.Error(), "unknown command ")
	typed, _, isQuoted := strings.Cut(strings.TrimPrefix(quoted, `"`), `"`)
	if !isUnknown || !isQuoted {
		return err
	}
	var names []string
	for name, words := range suggestedFor {
		if slices.Contains(words, strings.ToLower(typed)) {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		root.SuggestionsMinimumDistance = 2
		names = root.SuggestionsFor(typed)
	}
	if len(names) == 0 {
		return err
	}
	slices.Sort(names)
	return fmt.Errorf("%w; did you mean `%s %s`?", err, root.Name(), strings.Join(names, "` or `"+root.Name()+" "))
}
