package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"galaxy/rtmanager/internal/adapters/httpclient"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

type putFlags struct {
	file       string
	ifRevision int64
	pinned     bool // --if-revision was given
	origin     originFlags
}

func (a *app) putCommand() *cobra.Command {
	var flags putFlags
	cmd := &cobra.Command{
		Use:   "put -f FILE",
		Short: "Insert records, or overwrite every field of those that are there",
		Long: `Put writes records from a file, or from standard input with -f -. The file is
YAML or JSON and holds one record, several documents, or a list with "items",
such as list and get write it. An unknown field is an error.

All records are checked before the first one is written. They are then written
one after the other, each atomically and with its own --timeout; the first
failure ends it and those before stay written.

With --if-revision the write is done only if the record was last changed at
that revision, and with 0 only if there is none; otherwise it is a conflict.`,
		Example: `  rtmanager put -f game-1.yaml
  rtmanager get game-1 -o json | jq '.region = "eu-2"' | rtmanager put -f -
  rtmanager put -f game-1.yaml --if-revision 0        # only if it is new
  rtmanager list -o yaml > all.yaml && rtmanager put -f all.yaml --server http://other:8080`,
		Args: noArguments,
	}
	cmd.Flags().StringVarP(&flags.file, "filename", "f", "", "`FILE` with the records, - for standard input")
	cmd.Flags().Int64Var(&flags.ifRevision, "if-revision", 0, "write only if the record was last changed at revision `N`; 0: only if there is none")
	flags.origin.bind(cmd)
	_ = cmd.MarkFlagRequired("filename")
	cmd.RunE = a.verb(func(cmd *cobra.Command, _ []string) error {
		flags.pinned = cmd.Flags().Changed("if-revision")
		return a.put(cmd.Context(), flags)
	})
	return cmd
}

func (a *app) put(ctx context.Context, flags putFlags) error {
	if err := flags.check(); err != nil {
		return err
	}
	records, err := a.readRecords(flags.file)
	if err != nil {
		return err
	}
	if len(records) > 1 && (flags.pinned || flags.origin.operationID != "") {
		return usageError{err: fmt.Errorf("--if-revision and --operation-id are for one record; %s holds %d", sourceName(flags.file), len(records))}
	}
	inputs := a.inputs(records, flags)
	if err := validateAll(inputs); err != nil {
		return err
	}
	return a.withClient(ctx, httpclient.Config{}, func(ctx context.Context, client *httpclient.Client) error {
		var written []runtime.VersionedRecord
		var failed error
		for _, input := range inputs {
			var stands runtime.VersionedRecord
			if stands, failed = a.putOne(ctx, client, input); failed != nil {
				failed = stopped(failed, input, len(written), len(inputs))
				break
			}
			written = append(written, stands)
		}
		return errors.Join(failed, a.printRecords(written, func(v runtime.VersionedRecord) string {
			return fmt.Sprintf("%s put: %s, revision %d", plain(v.Record.GameID), v.Record.Status, v.Revision)
		}))
	})
}

func (f *putFlags) check() error {
	err := f.origin.check()
	if f.ifRevision < 0 {
		err = errors.Join(err, &runtime.InvalidError{Field: "--if-revision", Reason: fmt.Sprintf("is %d; a revision is never negative", f.ifRevision)})
	}
	return err
}

// inputs gives each record an origin of its own.
func (a *app) inputs(records []runtime.RuntimeRecord, flags putFlags) []ports.PutInput {
	inputs := make([]ports.PutInput, len(records))
	for i, record := range records {
		inputs[i] = ports.PutInput{Record: record, Origin: a.origin(flags.origin)}
		if flags.pinned {
			inputs[i].IfRevision = &flags.ifRevision
		}
	}
	return inputs
}

func (a *app) putOne(ctx context.Context, client *httpclient.Client, input ports.PutInput) (runtime.VersionedRecord, error) {
	ctx, cancel := a.globals.bounded(ctx)
	defer cancel()
	return client.Put(ctx, input)
}

// stopped says at which record a put stopped, and how far it had come.
func stopped(err error, at ports.PutInput, written, all int) error {
	game := at.Record.GameID
	failed := writeError{err: fmt.Errorf("%s: %w", plain(game), err), unknown: repeatable(at.Origin)}
	if all > 1 {
		failed.err = fmt.Errorf("%w\n%d of %s had been written before", failed.err, written, counted(all, "record"))
		failed.unknown = fmt.Sprintf("it may have been done or not; look for operation %s in `rtmanager history -o wide %s`",
			at.Origin.OperationID, shellWord(game))
	}
	return failed
}

func (a *app) readRecords(file string) ([]runtime.RuntimeRecord, error) {
	text, err := a.readFile(file, "records")
	if err != nil {
		return nil, err
	}
	records, err := decodeRecords(text)
	if err != nil {
		return nil, usageError{err: fmt.Errorf("%s: %w", sourceName(file), err)}
	}
	return records, nil
}

// readFile reads a file that -f names, or standard input for a dash.
func (a *app) readFile(file, what string) ([]byte, error) {
	var text []byte
	var err error
	if file == "-" {
		text, err = io.ReadAll(a.streams.In)
	} else {
		text, err = os.ReadFile(file)
	}
	if err != nil {
		return nil, fmt.Errorf("%w; -f wants a file with %s, or - for standard input", err, what)
	}
	return text, nil
}

func sourceName(file string) string {
	if file == "-" {
		return "standard input"
	}
	return plain(file)
}

// validateAll finds every fault of every record, before anything is written.
func validateAll(inputs []ports.PutInput) error {
	var faults []error
	for i, input := range inputs {
		err := input.Record.Validate()
		if err == nil {
			err = input.Validate() // what the store asks for beyond that
		}
		if err != nil {
			faults = append(faults, fmt.Errorf("record %d (game %.64q): %w", i+1, input.Record.GameID, err))
		}
	}
	return errors.Join(faults...)
}
