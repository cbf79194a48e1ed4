package cli

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"galaxy/rtmanager/internal/cli/internal/flags"
)

// flagError returns the error of a flag's value in terms of the command line, and other
// errors unchanged. It replaces the texts of packages strconv and time.
func flagError(_ *cobra.Command, err error) error {
	var invalid *pflag.InvalidValueError
	if !errors.As(err, &invalid) {
		return err
	}
	if invalid.GetFlag().Value.Type() == flags.FilterType {
		return fmt.Errorf("--%s %w", invalid.GetFlag().Name, invalid.Unwrap())
	}
	expected := map[string]string{
		"bool":     "use true or false",
		"duration": "use a duration with a unit, such as 90s or 2m",
		"float64":  "use a number",
		"int":      "use a whole number of at most 64 bits",
		"int64":    "use a whole number of at most 64 bits",
	}[invalid.GetFlag().Value.Type()]
	if expected == "" {
		return err
	}
	return fmt.Errorf("--%s %q is invalid; %s", invalid.GetFlag().Name, invalid.GetValue(), expected)
}

// The errors of cobra for flags that are missing, or that exclude each other.
var (
	missingFlags   = regexp.MustCompile(`^required flag\(s\) (.+) not set$`)
	exclusiveFlags = regexp.MustCompile(`^if any flags in the group \[.+\] are set none of the others can be; \[(.+)\] were all set$`)
	groupedFlags   = regexp.MustCompile(`^if any flags in the group \[(.+)\] are set they must all be set; missing \[(.+)\]$`)
)

// rewordUsage returns an error of cobra in terms of the command line, and other errors
// unchanged.
func rewordUsage(cmd *cobra.Command, err error) error {
	if found := missingFlags.FindStringSubmatch(err.Error()); found != nil {
		names := strings.Split(strings.ReplaceAll(found[1], `"`, ""), ", ")
		return fmt.Errorf("%s requires --%s", cmd.Name(), strings.Join(names, " and --"))
	}
	if found := exclusiveFlags.FindStringSubmatch(err.Error()); found != nil {
		return fmt.Errorf("%s accepts only one of --%s", cmd.Name(), strings.Join(strings.Fields(found[1]), " and --"))
	}
	if found := groupedFlags.FindStringSubmatch(err.Error()); found != nil {
		missing, names := strings.Fields(found[2]), strings.Fields(found[1])
		given := slices.DeleteFunc(names, func(name string) bool { return slices.Contains(missing, name) })
		return fmt.Errorf("%s requires --%s with --%s", cmd.Name(), strings.Join(missing, " and --"), strings.Join(given, " and --"))
	}
	return err
}

// rejectUnknownCommands makes each command that only has commands of its own reject another name,
// for which cobra would print the help and report success.
func rejectUnknownCommands(parent *cobra.Command) {
	for _, cmd := range parent.Commands() {
		if cmd.HasSubCommands() && !cmd.Runnable() {
			cmd.Args = requireKnownCommand
			cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
		}
		rejectUnknownCommands(cmd)
	}
}

func requireKnownCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	var names []string
	for _, sub := range cmd.Commands() {
		if sub.IsAvailableCommand() {
			names = append(names, sub.Name())
		}
	}
	return fmt.Errorf("%s has no command %q; use one of %s", cmd.Name(), args[0], strings.Join(names, ", "))
}

// commandError is the error of a command that has run. Its text names the command and
// its arguments once.
type commandError struct {
	text string
	err  error
}

func (e *commandError) Error() string { return e.text }
func (e *commandError) Unwrap() error { return e.err }

// newCommandError adds the command line to the text of an error, and omits the daemon's
// own name of the request, such as `get game "chess-17": `.
func newCommandError(commandLine []string, err error) error {
	text := strings.TrimPrefix(err.Error(), commandLine[0]+": ")
	if len(commandLine) == 2 {
		name := commandLine[1]
		request := regexp.MustCompile(`^[a-z ]+ (?:` + regexp.QuoteMeta(fmt.Sprintf("%q", name)) + `|` + regexp.QuoteMeta(name) + `): `)
		text = strings.TrimPrefix(text, request.FindString(text))
	}
	return &commandError{text: strings.Join(commandLine, " ") + ": " + text, err: err}
}
