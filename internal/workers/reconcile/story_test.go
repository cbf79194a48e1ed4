package reconcile_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/drift"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// Stories are scripts for operators to read, in testdata/stories. Each runs on a node of
// its own with a fake engine. Nothing happens between two lines: the node acts in a pass
// only, and only "advance" moves its clock.
//
//	rtmanager start GAME [IMAGE [ATTEMPTS [ARG...]]]
//	                                      default: game:1.0.0, without restarts after a crash
//	rtmanager stop|restart|cleanup GAME   run the operation
//	rtmanager patch GAME IMAGE
//	exit GAME CODE                        the record's container exits
//	start-externally GAME                 the record's container is started without an operation
//	remove GAME                           the record's container is removed; the engine sends the event
//	remove-unreported GAME                the same, without an event
//	add-container GAME GENERATION STATE   a container is created without an operation
//	rewrite GAME FIELD VALUE              a user changes image, endpoint, container or node of the record
//	reboot                                the machine restarts: all containers end without an event
//	set-status GAME STATUS                a client transitions the record
//	hang GAME, unhang GAME                engine requests on the game's containers hang
//	engine down|up                        the engine returns errors
//	engine empty|listing                  the engine lists no containers
//	pass                                  make a pass and handle the games that it enqueued
//	advance DURATION                      advance the clock
//	apply GAME                            a user applies the latest findings
//	release                               a user releases the brake
//
// The other verbs check the state:
//
//	record GAME STATUS [REASON]           the record, and the latest reason in the ledger (a regular expression)
//	running GAME N                        the number of running containers
//	containers GAME N                     the number of containers
//	findings GAME [KIND...]               the findings of the latest pass
//	brake on|off
//
// A verb after "!" must fail; "stderr" then checks its error.
func TestStories(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/stories/*.txtar")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			if testing.Short() && strings.Contains(file, "hanging") {
				t.Skip("waits for the retry timeout")
			}
			t.Parallel()
			f := newFixture(t)
			testscript.Run(t, testscript.Params{Files: []string{file}, Cmds: f.verbs(t.Context())})
		})
	}
}

// verb is one verb of the stories.
type verb struct {
	usage   string
	minArgs int
	run     func(ctx context.Context, args []string) error
}

func (f *fixture) verbs(ctx context.Context) map[string]func(*testscript.TestScript, bool, []string) {
	commands := map[string]func(*testscript.TestScript, bool, []string){}
	for name, v := range map[string]verb{
		"rtmanager": {"start|stop|restart|cleanup|patch GAME [ARG...]", 2, f.runOperation},

		"exit":              {"GAME CODE", 2, f.runExit},
		"start-externally":  {"GAME", 1, f.onRecorded(f.machine.StartExternally)},
		"remove":            {"GAME", 1, f.runRemove},
		"remove-unreported": {"GAME", 1, f.onRecorded(func(id string) error { f.machine.RemoveExternally(id); return nil })},
		"add-container":     {"GAME GENERATION STATE", 3, f.runAddContainer},
		"rewrite":           {"GAME FIELD VALUE", 3, f.runRewrite},
		"hang":              {"GAME", 1, f.runHang(true)},
		"unhang":            {"GAME", 1, f.runHang(false)},
		"engine":            {"down|up|empty|listing", 1, f.runEngine},
		"reboot":            {"", 0, func(context.Context, []string) error { f.machine.Reboot(*f.now.Load()); return nil }},
		"set-status":        {"GAME STATUS", 2, f.runSetStatus},
		"pass":              {"", 0, func(ctx context.Context, _ []string) error { return f.runPass(ctx) }},
		"advance":           {"DURATION", 1, f.runAdvance},
		"apply":             {"GAME", 1, f.runApply},
		"release":           {"", 0, func(context.Context, []string) error { return f.node.Reconcile.ReleaseBrake() }},

		"record": {"GAME STATUS [REASON]", 2, f.checkRecord},
		"running": {"GAME N", 2, func(_ context.Context, args []string) error {
			return checkCount(f.live(args[0]), args[1])
		}},
		"containers": {"GAME N", 2, func(_ context.Context, args []string) error {
			return checkCount(f.containers(args[0]), args[1])
		}},
		"findings": {"GAME [KIND...]", 1, f.checkFindings},
		"brake":    {"on|off", 1, f.checkBrake},
	} {
		commands[name] = func(ts *testscript.TestScript, mustFail bool, args []string) {
			if len(args) < v.minArgs {
				ts.Fatalf("usage: %s %s", name, v.usage)
			}
			err := v.run(ctx, args)
			switch {
			case mustFail && err == nil:
				ts.Fatalf("the verb must fail")
			case mustFail:
				_, _ = fmt.Fprintln(ts.Stderr(), err)
			default:
				ts.Check(err)
			}
		}
	}
	return commands
}

func (f *fixture) runOperation(ctx context.Context, args []string) error {
	request := ports.OperationRequest{Kind: operation.Kind(args[0]), GameID: args[1]}
	rest := args[2:]
	switch {
	case request.Kind == operation.KindStart:
		image, attempts := images[0], 0
		if len(rest) > 0 {
			image = rest[0]
		}
		if len(rest) > 1 {
			var err error
			if attempts, err = strconv.Atoi(rest[1]); err != nil {
				return err
			}
		}
		request.Spec = spec(image, attempts, rest[min(len(rest), 2):]...)
	case request.Kind == operation.KindPatch && len(rest) == 1:
		request.Image = rest[0]
	case len(rest) > 0:
		return fmt.Errorf("%s does not take %q", args[0], rest)
	}
	return f.execute(ctx, request)
}

// onRecorded returns a verb that calls fn with the record's container.
func (f *fixture) onRecorded(fn func(id string) error) func(context.Context, []string) error {
	return func(ctx context.Context, args []string) error {
		record, _, err := f.record(ctx, args[0])
		if err != nil {
			return err
		}
		if record == nil {
			return fmt.Errorf("%q has no record", args[0])
		}
		return fn(record.CurrentContainerID)
	}
}

func (f *fixture) runExit(ctx context.Context, args []string) error {
	code, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	return f.onRecorded(func(id string) error { return f.machine.Exit(id, code) })(ctx, args)
}

// runRemove also enqueues the game as the event worker does.
func (f *fixture) runRemove(ctx context.Context, args []string) error {
	return f.onRecorded(func(id string) error {
		f.machine.RemoveExternally(id)
		f.node.Queue.EnqueueRemoved(args[0], id)
		return nil
	})(ctx, args)
}

func (f *fixture) runHang(on bool) func(context.Context, []string) error {
	return func(_ context.Context, args []string) error {
		for _, c := range f.containers(args[0]) {
			f.machine.Hang(c.ID, on)
		}
		return nil
	}
}

func (f *fixture) runAddContainer(ctx context.Context, args []string) error {
	generation, err := strconv.ParseInt(args[1], 10, 64)
	if err != nil {
		return err
	}
	return f.addContainer(ctx, args[0], generation, container.State(args[2]))
}

func (f *fixture) runRewrite(ctx context.Context, args []string) error {
	return f.rewrite(ctx, args[0], func(r *runtime.RuntimeRecord) {
		fields := map[string]*string{
			"image": &r.CurrentImageRef, "endpoint": &r.EngineEndpoint, "container": &r.CurrentContainerID, "node": &r.Node,
		}
		*fields[args[1]] = args[2]
	})
}

func (f *fixture) runSetStatus(ctx context.Context, args []string) error {
	record, _, err := f.record(ctx, args[0])
	if err != nil {
		return err
	}
	return f.node.Store.UpdateStatus(ctx, ports.UpdateStatusInput{
		GameID: args[0], ExpectedFrom: record.Status, ExpectedContainerID: record.CurrentContainerID, To: runtime.Status(args[1]), Now: *f.now.Load(),
	})
}

func (f *fixture) runEngine(_ context.Context, args []string) error {
	switch args[0] {
	case "down":
		f.machine.FailWith(errors.New("connection refused"))
	case "up":
		f.machine.FailWith(nil)
	case "empty", "listing":
		f.machine.ReportEmpty(args[0] == "empty")
	default:
		return fmt.Errorf("%q is not a state of the engine", args[0])
	}
	return nil
}

// runPass makes a pass, and another one, so that the findings are those after the first.
func (f *fixture) runPass(ctx context.Context) error {
	if err := f.pass(ctx); err != nil {
		return err
	}
	_, err := f.node.Reconcile.Pass(ctx)
	return err
}

func (f *fixture) runApply(ctx context.Context, args []string) error {
	report, err := f.node.Reconcile.Report(ctx)
	if err != nil {
		return err
	}
	for _, finding := range report.Findings {
		if finding.GameID == args[0] {
			if result := f.node.Reconcile.Apply(ctx, []drift.Finding{finding}, "ada")[0]; result.Status != drift.ApplyDone {
				return fmt.Errorf("%s: %s", result.Status, result.Reason)
			}
		}
	}
	return nil
}

func (f *fixture) runAdvance(_ context.Context, args []string) error {
	d, err := time.ParseDuration(args[0])
	f.wait(d)
	return err
}

func (f *fixture) checkRecord(ctx context.Context, args []string) error {
	record, _, err := f.record(ctx, args[0])
	if err != nil {
		return err
	}
	status := "none"
	if record != nil {
		status = string(record.Status)
	}
	if status != args[1] {
		return fmt.Errorf("the record is %s, not %s", status, args[1])
	}
	if len(args) == 2 {
		return nil
	}
	history, err := f.node.Store.History(ctx, args[0])
	if err != nil {
		return err
	}
	if matched, err := regexp.MatchString(args[2], history[0].Reason); err != nil || !matched {
		return errors.Join(err, fmt.Errorf("the reason is %q", history[0].Reason))
	}
	return nil
}

func checkCount(containers []container.Container, want string) error {
	if strconv.Itoa(len(containers)) != want {
		return fmt.Errorf("the number is %d, not %s: %+v", len(containers), want, containers)
	}
	return nil
}

func (f *fixture) checkFindings(_ context.Context, args []string) error {
	var kinds []string
	for _, finding := range f.node.Reconcile.Findings(args[0]) {
		kinds = append(kinds, string(finding.Kind))
	}
	if strings.Join(kinds, " ") != strings.Join(args[1:], " ") {
		return fmt.Errorf("the findings are %q, not %q", kinds, args[1:])
	}
	return nil
}

func (f *fixture) checkBrake(_ context.Context, args []string) error {
	state := "off"
	if f.node.Reconcile.Brake() != nil {
		state = "on"
	}
	if state != args[0] {
		return fmt.Errorf("the brake is %s", state)
	}
	return nil
}
