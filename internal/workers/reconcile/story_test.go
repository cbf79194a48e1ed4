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

// Stories are scripts that an operator could read, each on a node of its own whose
// games do what the script says. Nothing happens between two lines: the node acts in
// a pass only, and its clock moves where it is later only.
//
//	rtmanager start GAME [IMAGE [ATTEMPTS [ARG...]]]
//	                                         game:1.0.0 by default, and no restart after a crash
//	rtmanager stop|restart|cleanup GAME
//	rtmanager patch GAME IMAGE
//	exit GAME CODE, revive GAME              happens to the container that the record names
//	lose GAME, mislay GAME                   it is removed; the engine tells of that, or has not
//	plant GAME GENERATION STATE              a container that no operation asked for
//	rewrite GAME FIELD VALUE                 somebody changes the record: image, endpoint, container or node
//	wedge GAME, unwedge GAME                 no act on a container of the game comes to an end
//	engine down|up|blind|sighted             it does not answer; it says that it has no containers
//	apply GAME                               somebody has what the latest pass found acted on
//	pass, later DURATION, release            the node works; time goes by; the brake is released
//	expect GAME STATUS [REASON]              what the record says, and the ledger of why (a regular expression)
//	live GAME N, kept GAME N                 containers that run; that are there
//	finds GAME [KIND...]                     the findings after the latest pass
//	brake on|off
//
// A verb after "!" has to be refused; "stderr" then looks at the reason.
func TestStories(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/stories/*.txt")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			t.Parallel()
			s := newStage(t)
			testscript.Run(t, testscript.Params{Files: []string{file}, Cmds: s.verbs(t.Context())})
		})
	}
}

// verb is one line of a story. usage is what it takes.
type verb struct {
	usage string
	least int // arguments
	do    func(ctx context.Context, args []string) error
}

func (s *stage) verbs(ctx context.Context) map[string]func(*testscript.TestScript, bool, []string) {
	commands := map[string]func(*testscript.TestScript, bool, []string){}
	for name, v := range map[string]verb{
		"rtmanager": {"start|stop|restart|cleanup|patch GAME [ARG...]", 2, s.storyOperation},

		"exit":    {"GAME CODE", 2, s.storyExit},
		"lose":    {"GAME", 1, s.storyLose},
		"mislay":  {"GAME", 1, s.ofRecorded(func(id string) error { s.machine.RemoveExternally(id); return nil })},
		"revive":  {"GAME", 1, s.ofRecorded(s.machine.StartExternally)},
		"wedge":   {"GAME", 1, s.storyWedge(true)},
		"unwedge": {"GAME", 1, s.storyWedge(false)},
		"plant":   {"GAME GENERATION STATE", 3, s.storyPlant},
		"rewrite": {"GAME FIELD VALUE", 3, s.storyRewrite},
		"engine":  {"down|up|blind|sighted", 1, s.storyEngine},
		"pass":    {"", 0, func(ctx context.Context, _ []string) error { return s.storyPass(ctx) }},
		"later":   {"DURATION", 1, s.storyLater},
		"release": {"", 0, func(context.Context, []string) error { return s.node.Reconcile.ReleaseBrake() }},
		"expect":  {"GAME STATUS [REASON]", 2, s.storyExpect},
		"live": {"GAME N", 2, func(_ context.Context, args []string) error {
			return counted(s.live(args[0]), args[1])
		}},
		"kept": {"GAME N", 2, func(_ context.Context, args []string) error {
			return counted(s.containers(args[0]), args[1])
		}},
		"apply": {"GAME", 1, s.storyApply},
		"finds": {"GAME [KIND...]", 1, s.storyFinds},
		"brake": {"on|off", 1, s.storyBrake},
	} {
		commands[name] = func(ts *testscript.TestScript, refused bool, args []string) {
			if len(args) < v.least {
				ts.Fatalf("usage: %s %s", name, v.usage)
			}
			err := v.do(ctx, args)
			switch {
			case refused && err == nil:
				ts.Fatalf("this should have been refused")
			case refused:
				_, _ = fmt.Fprintln(ts.Stderr(), err)
			default:
				ts.Check(err)
			}
		}
	}
	return commands
}

func (s *stage) storyOperation(ctx context.Context, args []string) error {
	request := ports.OperationRequest{Kind: operation.Kind(args[0]), GameID: args[1]}
	rest := args[2:]
	switch {
	case request.Kind == operation.KindStart:
		image, attempts := games[0], 0
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
	return s.operate(ctx, request)
}

// ofRecorded does something to the container that the game's record names.
func (s *stage) ofRecorded(do func(id string) error) func(context.Context, []string) error {
	return func(ctx context.Context, args []string) error {
		record, _, err := s.record(ctx, args[0])
		if err != nil {
			return err
		}
		if record == nil {
			return fmt.Errorf("%q has no record", args[0])
		}
		return do(record.CurrentContainerID)
	}
}

func (s *stage) storyExit(ctx context.Context, args []string) error {
	code, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	return s.ofRecorded(func(id string) error { return s.machine.Exit(id, code) })(ctx, args)
}

// storyLose tells the worker what the engine's stream of events would.
func (s *stage) storyLose(ctx context.Context, args []string) error {
	return s.ofRecorded(func(id string) error {
		s.machine.RemoveExternally(id)
		s.node.Reconcile.EnqueueRemoved(args[0], id)
		return nil
	})(ctx, args)
}

func (s *stage) storyWedge(on bool) func(context.Context, []string) error {
	return func(_ context.Context, args []string) error {
		for _, c := range s.containers(args[0]) {
			s.machine.Hang(c.ID, on)
		}
		return nil
	}
}

func (s *stage) storyPlant(ctx context.Context, args []string) error {
	generation, err := strconv.ParseInt(args[1], 10, 64)
	if err != nil {
		return err
	}
	return s.plant(ctx, args[0], generation, container.State(args[2]))
}

func (s *stage) storyRewrite(ctx context.Context, args []string) error {
	return s.rewrite(ctx, args[0], func(r *runtime.RuntimeRecord) {
		fields := map[string]*string{
			"image": &r.CurrentImageRef, "endpoint": &r.EngineEndpoint, "container": &r.CurrentContainerID, "node": &r.Node,
		}
		*fields[args[1]] = args[2]
	})
}

func (s *stage) storyEngine(_ context.Context, args []string) error {
	switch args[0] {
	case "down":
		s.machine.FailWith(errors.New("connection refused"))
	case "up":
		s.machine.FailWith(nil)
	case "blind", "sighted":
		s.machine.ReportEmpty(args[0] == "blind")
	default:
		return fmt.Errorf("%q is nothing that an engine can be", args[0])
	}
	return nil
}

// storyPass makes a pass, and looks once more, so that the findings are those after it.
func (s *stage) storyPass(ctx context.Context) error {
	if err := s.pass(ctx); err != nil {
		return err
	}
	_, err := s.node.Reconcile.Pass(ctx)
	return err
}

func (s *stage) storyApply(ctx context.Context, args []string) error {
	report, err := s.node.Reconcile.Report(ctx)
	if err != nil {
		return err
	}
	for _, f := range report.Findings {
		if f.GameID == args[0] {
			if result := s.node.Reconcile.Apply(ctx, []drift.Finding{f}, "ada")[0]; result.Status != drift.ApplyDone {
				return fmt.Errorf("%s: %s", result.Status, result.Reason)
			}
		}
	}
	return nil
}

func (s *stage) storyLater(_ context.Context, args []string) error {
	d, err := time.ParseDuration(args[0])
	s.wait(d)
	return err
}

func (s *stage) storyExpect(ctx context.Context, args []string) error {
	record, _, err := s.record(ctx, args[0])
	if err != nil {
		return err
	}
	is := "none"
	if record != nil {
		is = string(record.Status)
	}
	if is != args[1] {
		return fmt.Errorf("the record is %s, not %s", is, args[1])
	}
	if len(args) == 2 {
		return nil
	}
	history, err := s.node.Store.History(ctx, args[0])
	if err != nil {
		return err
	}
	if fits, err := regexp.MatchString(args[2], history[0].Reason); err != nil || !fits {
		return errors.Join(err, fmt.Errorf("the reason is %q", history[0].Reason))
	}
	return nil
}

func counted(containers []container.Container, want string) error {
	if strconv.Itoa(len(containers)) != want {
		return fmt.Errorf("there are %d, not %s: %+v", len(containers), want, containers)
	}
	return nil
}

func (s *stage) storyFinds(_ context.Context, args []string) error {
	var kinds []string
	for _, f := range s.node.Reconcile.Findings(args[0]) {
		kinds = append(kinds, string(f.Kind))
	}
	if strings.Join(kinds, " ") != strings.Join(args[1:], " ") {
		return fmt.Errorf("the findings are %q, not %q", kinds, args[1:])
	}
	return nil
}

func (s *stage) storyBrake(_ context.Context, args []string) error {
	is := "off"
	if s.node.Reconcile.Brake() != nil {
		is = "on"
	}
	if is != args[0] {
		return fmt.Errorf("the brake is %s", is)
	}
	return nil
}
