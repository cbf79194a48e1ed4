package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"galaxy/rtmanager/internal/adapters/apiclient"
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
one after the other, each atomically; the first failure ends it and those
before stay written.

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
	records, err := a.readRecords(flags.file)
	if err != nil {
		return err
	}
	if len(records) > 1 && (flags.pinned || flags.origin.operationID != "") {
		return usageError{err: fmt.Errorf("--if-revision and --operation-id are for one record; %s holds %d", flags.file, len(records))}
	}
	if err := validateAll(records); err != nil {
		return err
	}
	return a.withClient(ctx, func(ctx context.Context, client *apiclient.Client) error {
		var written []ports.VersionedRecord
		var failed error
		for _, record := range records {
			var stands ports.VersionedRecord
			if stands, failed = a.putOne(ctx, client, record, flags); failed != nil {
				failed = fmt.Errorf("%s: %w", plain(record.GameID), failed)
				break
			}
			written = append(written, stands)
		}
		return errors.Join(failed, a.printRecords(written, func(v ports.VersionedRecord) string {
			return fmt.Sprintf("%s put: %s, revision %d", plain(v.Record.GameID), v.Record.Status, v.Revision)
		}))
	})
}

func (a *app) putOne(ctx context.Context, client *apiclient.Client, record runtime.RuntimeRecord, flags putFlags) (ports.VersionedRecord, error) {
	input := ports.PutInput{Record: record, Origin: a.origin(flags.origin)}
	if flags.pinned {
		input.IfRevision = &flags.ifRevision
	}
	written, err := client.Put(ctx, input)
	if err != nil {
		return written, writeError{err: err, operationID: input.Origin.OperationID}
	}
	return written, nil
}

func (a *app) readRecords(file string) ([]runtime.RuntimeRecord, error) {
	var text []byte
	var err error
	if file == "-" {
		text, err = io.ReadAll(a.streams.In)
	} else {
		text, err = os.ReadFile(file)
	}
	if err != nil {
		return nil, err
	}
	records, err := decodeRecords(text)
	if err != nil {
		return nil, usageError{err: fmt.Errorf("%s: %w", plain(file), err)}
	}
	return records, nil
}

// validateAll finds every fault of every record, before anything is written.
func validateAll(records []runtime.RuntimeRecord) error {
	var faults []error
	for i, record := range records {
		if err := record.Validate(); err != nil {
			faults = append(faults, fmt.Errorf("record %d (game %q): %w", i+1, record.GameID, err))
		}
	}
	return errors.Join(faults...)
}
