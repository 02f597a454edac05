// The game's loop of docs/hosts/game.md.
void play(int listening, const bool& is_over);

@BLOCK@
