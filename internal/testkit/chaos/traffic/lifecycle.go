package traffic

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"

	"galaxy/rtmanager/internal/testkit/chaos/recording"
)

// operator runs operations on one game, one after the other, through one daemon.
type operator struct {
	t      *Traffic
	name   string
	rest   rest
	game   string
	rng    *rand.Rand
	writes int
	status string // as far as the operator knows
	// abandoned is the number of games before the current one. The name of the first one is first.
	first     string
	abandoned int
	decided   decisions
}

func (o *operator) run(ctx context.Context) {
	o.runTraffic(ctx)
	o.confirmRecovery()
}

func (o *operator) runTraffic(ctx context.Context) {
	for pause(ctx, o.rng, 10*o.t.cfg.Pause) {
		call := o.choose()
		for try := 1; ; try++ {
			result := call
			o.do(ctx, &result)
			if result.Outcome != recording.Unknown && result.Outcome != recording.Unavailable || try == maxTries {
				break
			}
			if result.Outcome == recording.Unknown && o.rng.IntN(3) == 0 {
				o.abandonGame() // the daemon must complete the operation without another request
				break
			}
			if !pause(ctx, o.rng, 10*o.t.cfg.Pause) {
				return
			}
		}
		if o.rng.IntN(3) == 0 {
			o.read(ctx)
		}
	}
}

// abandonGame continues with another game.
func (o *operator) abandonGame() {
	o.abandoned++
	o.game, o.status = fmt.Sprintf("%s-%d", o.first, o.abandoned), ""
	o.t.addGame(o.game, "lifecycle")
}

// choose returns an operation that the state of the game mostly allows.
func (o *operator) choose() recording.Call {
	methods := []recording.Method{recording.Start, recording.Start, recording.Start, recording.Cleanup}
	if o.status == running {
		methods = []recording.Method{recording.Restart, recording.Restart, recording.Stop, recording.Patch}
		if len(o.t.cfg.Daemons) > 1 {
			methods = append(methods, recording.Move)
		}
	}
	o.writes++
	call := recording.Call{Method: methods[o.rng.IntN(len(methods))], Game: o.game, OperationID: fmt.Sprintf("%s-%d", o.game, o.writes)}
	if call.Method == recording.Move {
		to := o.t.cfg.Daemons[o.rng.IntN(len(o.t.cfg.Daemons))]
		call.To = to.Name()
	}
	return call
}

// do sends the operation and waits for its result.
func (o *operator) do(ctx context.Context, call *recording.Call) {
	body := o.body(call)
	o.record(ctx, call, func(callCtx context.Context) {
		o.rest.send(callCtx, call, http.MethodPost, "/"+string(call.Method), body)
	})
	if call.Outcome == recording.Done {
		o.status = running
		if call.Method == recording.Stop {
			o.status = stopped
		}
		if call.Method == recording.Cleanup {
			o.status = removed
		}
	}
}

// body returns the body of the request for the operation.
func (o *operator) body(call *recording.Call) map[string]any {
	body := map[string]any{}
	if call.Method == recording.Start {
		// Games that are killed are started once more, however often.
		body["image"], body["crash"] = o.t.cfg.Image, map[string]any{"attempts": 100, "delay": "200ms"}
	}
	if call.Method == recording.Patch {
		body["image"] = []string{o.t.cfg.Image, o.t.cfg.PatchImage}[o.rng.IntN(2)]
	}
	for _, d := range o.t.cfg.Daemons {
		if call.Method == recording.Move && d.Name() == call.To {
			body["region"], body["node"] = d.Region, d.Node
		}
	}
	return body
}

// read reads the status of the game.
func (o *operator) read(ctx context.Context) {
	call := recording.Call{Method: recording.Get, Game: o.game}
	o.record(ctx, &call, func(callCtx context.Context) { o.rest.call(callCtx, &call) })
	if shown, err := decodeRecord(call.Output); call.Outcome == recording.Done && err == nil {
		o.status = shown.Status
	}
}

func (o *operator) record(ctx context.Context, call *recording.Call, send func(context.Context)) {
	call.Client, call.Node, call.Started = o.name, o.rest.daemon.Name(), o.t.record.Now()
	defer o.t.start(o.name, call)()
	callCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 3*o.t.cfg.CallTimeout)
	defer cancel()
	send(callCtx)
	call.Returned = o.t.record.Now()
	o.t.record.Call(*call)
	o.decided.add(call)
}
