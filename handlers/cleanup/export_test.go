package cleanup

var Counted = counted
