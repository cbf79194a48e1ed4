package selection

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"galaxy/rtmanager/internal/cli/internal/flags"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// The limits of --max-parallel.
const (
	defaultParallel = 8
	maxParallel     = 1000
)

// Verb describes the selection of one command.
type Verb struct {
	// Statuses are those of the games that filters select without --status; empty means all.
	Statuses []runtime.Status
	// HasPlacement reports whether the command has flags --region and --node of its own, and
	// HasImage whether it has a flag --image. They are not filters then; --current-image replaces
	// the latter.
	HasPlacement, HasImage bool
	// IsDestructive reports whether a selection by filters requires a confirmation.
	IsDestructive bool
}

// Flags are the flags that select games, and that determine how many the command acts on at a
// time.
type Flags struct {
	// MaxParallel is how many games the command acts on at a time, 1 to 1000.
	MaxParallel int
	// IsDryRun reports whether the command only lists what it would do.
	IsDryRun bool
	// IsConfirmed reports whether the user has confirmed the command by a flag.
	IsConfirmed bool

	verb                             Verb
	statuses, regions, nodes, images []string
	selectors                        []string
	isAll                            bool
	flags                            *pflag.FlagSet
	filters                          map[string]*[]string // values by the name of the flag
}

// Bind declares the flags, and adds their description to the help of the command.
func (f *Flags) Bind(cmd *cobra.Command, verb Verb) {
	f.BindFilters(cmd, verb)
	BindRun(cmd, &f.MaxParallel)
	if cmd.Flags().Lookup("dry-run") == nil {
		cmd.Flags().BoolVar(&f.IsDryRun, "dry-run", false, "only list the games and what would be done")
	}
	if verb.IsDestructive {
		cmd.Flags().BoolVar(&f.IsConfirmed, "yes", false, "skip the confirmation")
	}
	cmd.Long += "\n\n" + f.help(cmd.Name())
}

// BindFilters declares the flags that select games.
func (f *Flags) BindFilters(cmd *cobra.Command, verb Verb) {
	f.MaxParallel = defaultParallel
	f.verb, f.flags, f.filters = verb, cmd.Flags(), map[string]*[]string{}
	bind := func(target *[]string, name, usage string) {
		cmd.Flags().StringSliceVar(target, name, nil, usage)
		f.filters[name] = target
	}
	bind(&f.statuses, "status", "games with this `STATUS`: running, stopped or removed; repeatable")
	flags.CompleteStatus(cmd, "status")
	if !verb.HasPlacement {
		bind(&f.regions, "region", "games of this `REGION`; repeatable")
		bind(&f.nodes, "node", "games of this `NODE`; repeatable")
	}
	if verb.HasImage {
		bind(&f.images, "current-image", "games whose record has this `IMAGE`, or a prefix of it followed by *; repeatable")
	} else {
		bind(&f.images, "image", "games whose record has this `IMAGE`, or a prefix of it followed by *; repeatable")
	}
	flags.BindSelector(cmd, &f.selectors)
	f.filters[flags.SelectorFlag] = &f.selectors
	cmd.Flags().BoolVar(&f.isAll, "all", false, "all games")
}

// SetStatuses replaces the statuses of the games that filters select without --status; nil is all.
func (f *Flags) SetStatuses(statuses []runtime.Status) { f.verb.Statuses = statuses }

// BindRun declares the flag --max-parallel.
func BindRun(cmd *cobra.Command, target *int) {
	cmd.Flags().IntVar(target, "max-parallel", defaultParallel, "how many games, `N`, to act on at a time")
}

// ValidateParallel returns an error that names --max-parallel unless the number is valid.
func ValidateParallel(n int) error {
	if n < 1 || n > maxParallel {
		return &runtime.InvalidError{Field: "--max-parallel", Reason: fmt.Sprintf("is %d; use 1 to %d", n, maxParallel)}
	}
	return nil
}

func (f *Flags) help(command string) string {
	name := strings.ToUpper(command[:1]) + command[1:]
	text := name + ` acts on each GAME, or on all games that match filters`
	if len(f.verb.Statuses) > 0 {
		text += "; without\n--status, filters and --all select " + describe(f.verb.Statuses)
	}
	text += `. With
several games it acts on --max-parallel of them at a time and prints a line for each and
a summary. The exit code is 0 only if it succeeded for all games, and otherwise the highest
code of all failures.`
	if f.verb.IsDestructive {
		text += " Filters require confirmation: pass --yes if there is no terminal."
	}
	return text
}

// HasFilters reports whether the games are selected by filters or --all.
func (f *Flags) HasFilters() bool {
	return f.isAll || f.hasFilter(func(string) bool { return true })
}

// hasFilter reports whether a filter was given whose name matches.
func (f *Flags) hasFilter(matches func(name string) bool) bool {
	for name := range f.filters {
		if f.flags.Changed(name) && matches(name) {
			return true
		}
	}
	return false
}

// RequiresConfirmation reports whether the command must be confirmed: it is destructive, its games
// are selected by filters, and the user has not confirmed it by a flag.
func (f *Flags) RequiresConfirmation() bool {
	return f.verb.IsDestructive && f.HasFilters() && !f.IsConfirmed
}

// Validate returns every error of the flags together with the arguments. The errors name the
// flags.
func (f *Flags) Validate(games []string) error {
	errs := []error{ValidateParallel(f.MaxParallel)}
	for name, values := range f.filters {
		// An empty value usually comes from an unset variable of a script: without the error, the
		// command would act on all games.
		if f.flags.Changed(name) && (len(*values) == 0 || slices.Contains(*values, "")) {
			errs = append(errs, &runtime.InvalidError{Field: "--" + name, Reason: "is empty; give it a value or omit it"})
		}
	}
	if _, err := parseStatuses(f.statuses); err != nil && !slices.Contains(f.statuses, "") {
		errs = append(errs, err)
	}
	if _, err := flags.ParseSelector(f.selectors); err != nil && !slices.Contains(f.selectors, "") {
		errs = append(errs, err)
	}
	for _, gameID := range games {
		errs = append(errs, runtime.ValidateGameID(gameID))
	}
	return errors.Join(errs...)
}

// CheckArguments returns an error unless the games are given either as arguments or by filters.
func (f *Flags) CheckArguments(command string, games []string) error {
	switch filters := "--" + strings.Join(slices.Sorted(maps.Keys(f.filters)), ", --"); {
	case len(games) == 0 && !f.HasFilters():
		return fmt.Errorf("%s requires one GAME or more, or a filter: %s or --all", command, filters)
	case len(games) > 0 && f.HasFilters():
		return fmt.Errorf("%s accepts either GAMEs or filters (%s, --all), not both", command, filters)
	case f.isAll && f.hasFilter(func(name string) bool { return name != "status" }):
		return fmt.Errorf("%s accepts either --all or other filters, not both; only --status may be added to --all", command)
	}
	return nil
}

// filter returns the filter of the flags.
func (f *Flags) filter() ports.RecordFilter {
	statuses, _ := parseStatuses(f.statuses) // Validate has checked them
	if len(f.statuses) == 0 {
		statuses = f.verb.Statuses
	}
	labels, _ := flags.ParseSelector(f.selectors)
	return ports.RecordFilter{Statuses: statuses, Regions: f.regions, Nodes: f.nodes, Images: f.images, Labels: labels}
}
