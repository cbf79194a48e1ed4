package flags

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/labelselector"
	"galaxy/rtmanager/internal/ports"
)

// Filter are the flags that select records.
type Filter struct {
	statuses, regions, nodes, images, healths []string

	isReady, isUnready bool

	gamePrefix string
	selectors  []string
}

// Bind declares the flags. Several values of one flag are a union.
func (f *Filter) Bind(cmd *cobra.Command) {
	cmd.Flags().Var(&filterValues{target: &f.statuses}, "status", "only records with this `STATUS`: running, stopped or removed; several are separated by commas")
	cmd.Flags().Var(&filterValues{target: &f.regions}, "region", "only records of this `REGION`; several are separated by commas")
	cmd.Flags().Var(&filterValues{target: &f.nodes}, "node", "only records of this `NODE`; several are separated by commas")
	cmd.Flags().Var(&filterValues{target: &f.images}, "image", "only records with this `IMAGE`, or a prefix of it followed by *; several are separated by commas")
	cmd.Flags().Var(&filterValues{target: &f.healths}, "health", "only records with this `HEALTH`: healthy, unhealthy, unknown or none; several are separated by commas")
	cmd.Flags().BoolVar(&f.isReady, "ready", false, "only games that are ready: running on a present node, and not unhealthy")
	cmd.Flags().BoolVar(&f.isUnready, "not-ready", false, "only games that are not ready")
	cmd.MarkFlagsMutuallyExclusive("ready", "not-ready")
	cmd.Flags().StringVar(&f.gamePrefix, "game-prefix", "", "only games whose ids start with `TEXT`")
	BindSelector(cmd, &f.selectors)
	CompleteStatus(cmd, "status")
	var healths []string
	for _, health := range runtime.Healths() {
		healths = append(healths, string(health))
	}
	_ = cmd.RegisterFlagCompletionFunc("health", cobra.FixedCompletions(healths, cobra.ShellCompDirectiveNoFileComp))
}

// HasStatus reports whether records are selected by their status.
func (f *Filter) HasStatus() bool { return len(f.statuses) > 0 }

// IsSet reports whether any flag is given.
func (f *Filter) IsSet() bool {
	return len(f.statuses)+len(f.regions)+len(f.nodes)+len(f.images)+len(f.healths) > 0 || f.isReady || f.isUnready || f.gamePrefix != "" || len(f.selectors) > 0
}

// SelectorFlag is the name of the flag of a label selector.
const SelectorFlag = "selector"

// BindSelector declares the flag of a label selector. Several ones must all match.
func BindSelector(cmd *cobra.Command, target *[]string) {
	cmd.Flags().VarP(&selectorValues{target}, SelectorFlag, "l", "only games whose labels match the `SELECTOR`, such as env=prod,mode!=ranked; the topic labels describes it")
}

// ParseSelector returns the selector of the values of the flag; none select every record.
func ParseSelector(texts []string) (runtime.LabelSelector, error) {
	if len(texts) == 0 {
		return runtime.LabelSelector{}, nil
	}
	return labelselector.Parse("--"+SelectorFlag, strings.Join(texts, ","))
}

// Filter returns the filter of the flags. Its error names every invalid flag.
func (f *Filter) Filter() (ports.RecordFilter, error) {
	filter := ports.RecordFilter{Regions: f.regions, Nodes: f.nodes, Images: f.images, GamePrefix: f.gamePrefix}
	var errs []error
	for _, text := range f.statuses {
		status, err := runtime.ParseStatus("--status", text)
		filter.Statuses, errs = append(filter.Statuses, status), append(errs, err)
	}
	for _, text := range f.healths {
		health, err := runtime.ParseHealth("--health", text)
		filter.Healths, errs = append(filter.Healths, health), append(errs, err)
	}
	if f.isReady || f.isUnready {
		filter.Ready = &f.isReady
	}
	var err error
	filter.Labels, err = ParseSelector(f.selectors)
	return filter, errors.Join(append(errs, err)...)
}

// CompleteStatus completes a flag by the statuses.
func CompleteStatus(cmd *cobra.Command, flag string) {
	var statuses []string
	for _, status := range runtime.Statuses() {
		statuses = append(statuses, string(status))
	}
	_ = cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(statuses, cobra.ShellCompDirectiveNoFileComp))
}

// FilterType is the type of the values of a filter, whose errors are in terms of the command
// line.
const FilterType = "filter"

// filterValues are the values of a flag that may be repeated, or have several values that are
// separated by commas.
type filterValues struct{ target *[]string }

// Set implements pflag.Value. A single empty value is rejected by the command line, which
// rejects the empty values of all flags together.
func (v *filterValues) Set(text string) error {
	if text == "" && len(*v.target) == 0 {
		*v.target = []string{""}
		return nil
	}
	for value := range strings.SplitSeq(text, ",") {
		if value == "" {
			return fmt.Errorf("%q has an empty value; give it a value or omit it", text)
		}
		*v.target = append(*v.target, value)
	}
	return nil
}

// String implements pflag.Value.
func (v *filterValues) String() string {
	if v.target == nil {
		return ""
	}
	return strings.Join(*v.target, ",")
}

// Type implements pflag.Value.
func (v *filterValues) Type() string { return FilterType }

// selectorValues are label selectors, whose commas separate requirements.
type selectorValues struct{ target *[]string }

// Set implements pflag.Value.
func (v *selectorValues) Set(text string) error {
	*v.target = append(*v.target, text)
	return nil
}

// String implements pflag.Value.
func (v *selectorValues) String() string {
	if v.target == nil {
		return ""
	}
	return strings.Join(*v.target, ",")
}

// Type implements pflag.Value.
func (v *selectorValues) Type() string { return FilterType }
