package docker

import (
	"text/template"
	"text/template/parse"
)

// The guards that parseTemplate puts into a template. They are not defined while a template is parsed, so nobody can
// call them.
const (
	guardTick  = "stowageTick"
	guardEnter = "stowageEnter"
	guardLeave = "stowageLeave"
)

// parseTemplate parses as docker's client does, and guards what can run for long.
func parseTemplate(text string) (*template.Template, error) {
	var none *templateRun
	t, err := template.New("").Funcs(none.dockerFunctions()).Parse(text)
	if err != nil {
		return nil, err
	}
	for _, t := range t.Templates() {
		if t.Tree == nil || t.Root == nil {
			continue
		}
		guardList(t.Root)
		t.Root.Nodes = append(append([]parse.Node{guard(guardEnter)}, t.Root.Nodes...), guard(guardLeave))
	}
	// Cloned only to be executed, each time with the functions of a run.
	return t, nil
}

// guard is a node that calls a function and prints nothing.
func guard(name string) parse.Node {
	call := &parse.CommandNode{NodeType: parse.NodeCommand, Args: []parse.Node{parse.NewIdentifier(name)}}
	return &parse.ActionNode{NodeType: parse.NodeAction,
		Pipe: &parse.PipeNode{NodeType: parse.NodePipe, Cmds: []*parse.CommandNode{call}}}
}

// guardList puts a tick at the head of each loop's body.
func guardList(l *parse.ListNode) {
	if l == nil {
		return
	}
	for _, n := range l.Nodes {
		switch n := n.(type) {
		case *parse.IfNode:
			guardList(n.List)
			guardList(n.ElseList)
		case *parse.WithNode:
			guardList(n.List)
			guardList(n.ElseList)
		case *parse.RangeNode:
			guardList(n.List)
			guardList(n.ElseList)
			n.List.Nodes = append([]parse.Node{guard(guardTick)}, n.List.Nodes...)
		}
	}
}
