package complete

import (
	"strings"

	"github.com/spf13/cobra"

	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// images completes an image that a game has.
func (s Source) images(cmd *cobra.Command, _ []string, prefix string) ([]string, cobra.ShellCompDirective) {
	return s.ofRecords(cmd, prefix, func(r runtime.RuntimeRecord) []string { return []string{r.CurrentImageRef} }), cobra.ShellCompDirectiveNoFileComp
}

// labels completes a label that a game has, as KEY=VALUE.
func (s Source) labels(cmd *cobra.Command, _ []string, prefix string) ([]string, cobra.ShellCompDirective) {
	return s.ofRecords(cmd, prefix, pairsOf), cobra.ShellCompDirectiveNoFileComp
}

// selectors completes the last requirement of a label selector by a label that a game has.
func (s Source) selectors(cmd *cobra.Command, _ []string, prefix string) ([]string, cobra.ShellCompDirective) {
	return s.ofList(cmd, prefix, pairsOf), cobra.ShellCompDirectiveNoFileComp
}

// labelKeys completes the last key of a list by a key that a game has.
func (s Source) labelKeys(cmd *cobra.Command, _ []string, prefix string) ([]string, cobra.ShellCompDirective) {
	return s.ofList(cmd, prefix, keysOf), cobra.ShellCompDirectiveNoFileComp
}

// LabelArguments completes the arguments of label: a game, and then games and labels.
func (s Source) LabelArguments(cmd *cobra.Command, args []string, prefix string) ([]string, cobra.ShellCompDirective) {
	games, directive := s.Games(cmd, args, prefix)
	if len(args) == 0 {
		return games, directive
	}
	return append(games, s.ofRecords(cmd, prefix, pairsOf)...), directive
}

// ofRecords returns the values of records that start with the prefix.
func (s Source) ofRecords(cmd *cobra.Command, prefix string, valuesOf func(runtime.RuntimeRecord) []string) []string {
	var values []string
	for _, v := range s.records(cmd.Context(), ports.RecordFilter{}) {
		values = append(values, valuesOf(v.Record)...)
	}
	return distinct(values, prefix)
}

// ofList returns the prefix with the value after its last comma completed.
func (s Source) ofList(cmd *cobra.Command, prefix string, valuesOf func(runtime.RuntimeRecord) []string) []string {
	start := strings.LastIndex(prefix, ",") + 1
	values := s.ofRecords(cmd, prefix[start:], valuesOf)
	for i := range values {
		values[i] = prefix[:start] + values[i]
	}
	return values
}

func pairsOf(r runtime.RuntimeRecord) []string {
	var pairs []string
	for key, value := range r.Labels {
		pairs = append(pairs, key+"="+value)
	}
	return pairs
}

func keysOf(r runtime.RuntimeRecord) []string {
	var keys []string
	for key := range r.Labels {
		keys = append(keys, key)
	}
	return keys
}
