package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"galaxy/rtmanager/internal/adapters/httpclient"
	"galaxy/rtmanager/internal/cli/internal/exit"
	"galaxy/rtmanager/internal/cli/internal/flags"
	"galaxy/rtmanager/internal/cli/internal/manifest"
	"galaxy/rtmanager/internal/cli/internal/render"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

type putFlags struct {
	file          string
	ifRevision    int64
	hasIfRevision bool
	ifUnchanged   bool
	isRecordOnly  bool
	origin        flags.Origin
}

func (a *app) putCommand() *cobra.Command {
	var flags putFlags
	cmd := &cobra.Command{
		Use:   "put -f FILE",
		Short: "Insert records of games that no node manages, or overwrite them",
		Long: `Put writes records from a file, or from standard input with -f -. The file is YAML or
JSON and contains a record, several documents, or a list with "items", in the format
that list and get print. An unknown field is an error.

All records are validated before the first one is written. They are then written in
order, each atomically and with its own --timeout. The first failure ends the
command; records written before it remain written.

Put writes records only; it starts and stops no container. It is rejected, with exit code
3, for the record of a game whose node is present, because that node corrects the record:
use stop, start and cleanup to change the game itself, or --record-only to change its
record nevertheless. The node then corrects what contradicts the container.

With --if-revision a record is written only if its last change was at that revision,
and with 0 only if it does not exist; otherwise it is a conflict. With --if-unchanged the
revision is that of the record in the file, as get and list print it; without the flag a
revision in the file is ignored.`,
		Example: `  rtmanager put -f game-1.yaml
  rtmanager get game-1 -o json | jq '.labels.env = "prod"' | rtmanager put --if-unchanged -f -
  rtmanager put -f game-1.yaml --if-revision 0        # only if it does not exist
  rtmanager list -o yaml > all.yaml && rtmanager put -f all.yaml --server http://other:8080`,
		Args: requireNoArguments,
	}
	cmd.Flags().StringVarP(&flags.file, "filename", "f", "", "`FILE` with the records, - for standard input")
	cmd.Flags().Int64Var(&flags.ifRevision, "if-revision", 0, "write only if the last change was at revision `N`; 0: only if there is no record")
	cmd.Flags().BoolVar(&flags.ifUnchanged, "if-unchanged", false, "write only if the last change was at the revision in the file")
	cmd.Flags().BoolVar(&flags.isRecordOnly, "record-only", false, "write the record even if a present node manages the game")
	flags.origin.Bind(cmd)
	_ = cmd.MarkFlagRequired("filename")
	cmd.MarkFlagsMutuallyExclusive("if-revision", "if-unchanged")
	cmd.RunE = a.runE(func(cmd *cobra.Command, _ []string) error {
		flags.hasIfRevision = cmd.Flags().Changed("if-revision")
		return a.put(cmd.Context(), flags)
	})
	return cmd
}

func (a *app) put(ctx context.Context, flags putFlags) error {
	if err := flags.validate(); err != nil {
		return err
	}
	records, err := a.readRecords(flags.file)
	if err != nil {
		return err
	}
	if len(records) > 1 && (flags.hasIfRevision || flags.origin.OperationID != "") {
		return exit.UsageError{Err: fmt.Errorf("--if-revision and --operation-id are for one record; %s contains %d", sourceName(flags.file), len(records))}
	}
	inputs := a.putInputs(records, flags)
	if err := errors.Join(validateInputs(inputs), flags.requireRevisions(records)); err != nil {
		return err
	}
	return a.withClient(httpclient.Config{}, func(client *httpclient.Client) error {
		var records []runtime.VersionedRecord
		var failed error
		for _, input := range inputs {
			record, err := a.putRecord(ctx, client, input)
			if err != nil {
				failed = putError(err, input, len(records), len(inputs))
				break
			}
			records = append(records, record)
		}
		return errors.Join(failed, a.printer().Records(records, func(v runtime.VersionedRecord) string {
			return fmt.Sprintf("%s put: %s, revision %d", render.Value(v.Record.GameID), v.Record.Status, v.Revision)
		}))
	})
}

func (f *putFlags) validate() error {
	err := f.origin.Validate()
	if f.ifRevision < 0 {
		err = errors.Join(err, &runtime.InvalidError{Field: "--if-revision", Reason: fmt.Sprintf("is %d; it must not be negative", f.ifRevision)})
	}
	return err
}

// requireRevisions returns an error for each record without the revision that --if-unchanged
// requires.
func (f *putFlags) requireRevisions(records []runtime.VersionedRecord) error {
	var errs []error
	for i, v := range records {
		if f.ifUnchanged && v.Revision <= 0 {
			errs = append(errs, exit.UsageError{Err: fmt.Errorf("record %d (game %.64q) has no revision, which --if-unchanged requires; get it with -o json", i+1, v.Record.GameID)})
		}
	}
	return errors.Join(errs...)
}

// putInputs returns the writes, each with an origin of its own.
func (a *app) putInputs(records []runtime.VersionedRecord, flags putFlags) []ports.PutInput {
	inputs := make([]ports.PutInput, len(records))
	for i, v := range records {
		inputs[i] = ports.PutInput{Record: v.Record, Origin: flags.origin.PortsOrigin(a.userName())}
		if flags.isRecordOnly {
			inputs[i].Guard = ports.GuardNoOperation
		}
		switch {
		case flags.hasIfRevision:
			inputs[i].IfRevision = &flags.ifRevision
		case flags.ifUnchanged:
			inputs[i].IfRevision = &v.Revision
		}
	}
	return inputs
}

func (a *app) putRecord(ctx context.Context, client *httpclient.Client, input ports.PutInput) (runtime.VersionedRecord, error) {
	ctx, cancel := a.globals.withTimeout(ctx)
	defer cancel()
	return client.Put(ctx, input)
}

// putError names the record whose write failed, and how many were written before.
func putError(err error, input ports.PutInput, done, total int) error {
	game := input.Record.GameID
	failed := exit.WriteError{Err: fmt.Errorf("%s: %w", render.Value(game), err), UnknownHint: exit.RetryHint(input.Origin)}
	if total > 1 {
		failed.Err = fmt.Errorf("%w\n%d of %s were written before", failed.Err, done, render.Count(total, "record"))
		failed.UnknownHint = fmt.Sprintf("the write may or may not have been applied; search for operation %s in `rtmanager history -o wide %s`",
			input.Origin.OperationID, render.ShellWord(game))
	}
	return failed
}

func (a *app) readRecords(file string) ([]runtime.VersionedRecord, error) {
	text, err := a.readFile(file, "records")
	if err != nil {
		return nil, err
	}
	records, err := manifest.Records(text)
	if err != nil {
		return nil, exit.UsageError{Err: fmt.Errorf("%s: %w", sourceName(file), err)}
	}
	return records, nil
}

// readFile reads the file of -f, or standard input for a dash.
func (a *app) readFile(file, content string) ([]byte, error) {
	return a.readFlagFile("-f", file, content)
}

// readFlagFile reads the file of the flag, or standard input for a dash.
func (a *app) readFlagFile(flag, file, content string) ([]byte, error) {
	text, err := a.readSource(file)
	if err != nil {
		return nil, fmt.Errorf("%w; "+flag+" requires a file with %s, or - for standard input", err, content)
	}
	return text, nil
}

func sourceName(file string) string {
	if file == "-" {
		return "standard input"
	}
	return render.Value(file)
}

// validateInputs returns every error of every record, before anything is written.
func validateInputs(inputs []ports.PutInput) error {
	var errs []error
	for i, input := range inputs {
		err := input.Record.Validate()
		if err == nil {
			err = input.Validate() // what the store requires in addition
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("record %d (game %.64q): %w", i+1, input.Record.GameID, err))
		}
	}
	return errors.Join(errs...)
}
