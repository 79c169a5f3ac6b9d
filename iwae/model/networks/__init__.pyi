from .build import decoder_network as decoder_network
from .build import encoder_network as encoder_network
from .build import head_of as head_of
from .build import last_dense as last_dense
from .build import output_bias as output_bias
from .conv import ConvDecoder as ConvDecoder
from .conv import ConvEncoder as ConvEncoder
from .decoding import decoded_log_prob as decoded_log_prob
