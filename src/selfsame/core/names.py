"""The names of what lies in a person's folder, for code that must know them without loading torch."""

ALBUM_FILE = "album.json"
MODELS_FOLDER = "models"
WEIGHTS_FILE, CARD_FILE = "weights.safetensors", "card.json"
HISTORY_FILE, STATES_FOLDER = "history.json", "states"
